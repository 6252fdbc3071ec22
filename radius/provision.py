"""Creates the database of an Active Directory domain: `/usr/bin/python3 -I provision.py`.

Reads the output of radius.directory.provisioning on stdin, and writes to /etc/samba and
/var/lib/samba, which must not contain a domain yet. This is a separate program because Samba's
modules exist only for the distribution's Python. Its messages contain names of groups and users,
but no passwords. If a user cannot be added, it exits with os.EX_DATAERR, and its last line says
which one and why.
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
"""Samba's default range begins at 3000000, which does not exist in a user namespace."""
NT_EPOCH = 11644473600
"""Seconds from 1601 to 1970 (MS-DTYP, FILETIME)."""


def main() -> None:
    """Provision the domain, then add the topology's groups and users."""
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
    # Passwords must not have expired when a domain is restored years later.
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
    """Add a user of the topology."""
    name = user["name"]
    database.newuser(
        name, user["password"], force_password_change_at_next_login_req=user["must_change"]
    )
    for group in user["groups"]:
        database.add_remove_group_members(group, [name])
    account = f"(sAMAccountName={ldb.binary_encode(name)})"
    if user["disabled"]:
        database.disable_account(account)
    if user["expired"]:
        yesterday = (int(time.time()) - 86400 + NT_EPOCH) * 10_000_000
        [found] = database.search(expression=account, attrs=["dn"])
        change(database, str(found.dn), {"accountExpires": str(yesterday)})


if __name__ == "__main__":
    main()
