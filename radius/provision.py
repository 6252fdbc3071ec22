"""Make the database of an Active Directory domain: `/usr/bin/python3 -I provision.py`.

Reads what radius.directory.provisioning writes from stdin, and works on /etc/samba and
/var/lib/samba, where no domain may be yet. Samba's modules are the distribution's, so this is a
program of its own. The group's and users' names are in its messages, passwords are not. Where a
user is what cannot be added, it exits with os.EX_DATAERR, and its last line says which and why.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Any

import ldb
import samba.provision
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

CONF = "/etc/samba/smb.conf"
PRIVATE = "/var/lib/samba/private"
IDMAP = {"lowerBound": "10000", "upperBound": "60000"}
"""Samba's own range begins at 3000000, which a user namespace has not."""
NT_EPOCH = 11644473600
"""Seconds from 1601 to 1970 (MS-DTYP, FILETIME)."""


def main() -> None:
    """Provision, then add what the topology has."""
    wanted = json.load(sys.stdin)
    samba.provision.provision(
        logging.getLogger("provision"),
        system_session(),
        smbconf=CONF,
        targetdir=None,
        samdb_fill=samba.provision.FILL_FULL,
        realm=wanted["realm"].upper(),
        domain=wanted["domain"],
        hostname=wanted["host"],
        hostip=wanted["address"],
        adminpass=wanted["administrator"],
        serverrole="active directory domain controller",
        dns_backend="SAMBA_INTERNAL",
        dom_for_fun_level=samba.provision.DS_DOMAIN_FUNCTION_2008_R2,
        use_ntvfs=False,
        lp=LoadParm(),
    )
    change(ldb.Ldb(f"{PRIVATE}/idmap.ldb"), "CN=CONFIG", IDMAP)
    parameters = LoadParm()
    parameters.load(CONF)
    database = SamDB(f"{PRIVATE}/sam.ldb", session_info=system_session(), lp=parameters)
    database.transaction_start()
    # No password of a domain that is restored years later has run out.
    policy = {"maxPwdAge": "0", "lockoutThreshold": str(wanted["lockoutThreshold"])}
    change(database, str(database.domain_dn()), policy)
    for group in sorted({group for user in wanted["users"] for group in user["groups"]}):
        database.newgroup(group)
    for user in wanted["users"]:
        try:
            add(database, user)
        except (ldb.LdbError, RuntimeError) as error:
            database.transaction_cancel()
            sys.stderr.write(f"user {user['name']}: {' '.join(str(error).split())}\n")
            sys.exit(os.EX_DATAERR)
    database.transaction_commit()


def change(database: Any, where: str, values: dict[str, str]) -> None:
    """Replace attributes of an object."""
    message = ldb.Message()
    message.dn = ldb.Dn(database, where)
    for name, value in values.items():
        message[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name)
    database.modify(message)


def add(database: Any, user: dict[str, Any]) -> None:
    """A user as the topology has it."""
    name = user["name"]
    database.newuser(
        name, user["password"], force_password_change_at_next_login_req=user["must_change"]
    )
    for group in user["groups"]:
        database.add_remove_group_members(group, [name])
    account = f"(sAMAccountName={name})"
    if user["disabled"]:
        database.disable_account(account)
    if user["expired"]:
        yesterday = (int(time.time()) - 86400 + NT_EPOCH) * 10_000_000
        [found] = database.search(expression=account, attrs=["dn"])
        change(database, str(found.dn), {"accountExpires": str(yesterday)})


if __name__ == "__main__":
    main()
