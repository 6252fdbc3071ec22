"""Asks an Active Directory, for FreeRADIUS, whether the owner of a certificate may log in:

    /usr/bin/python3 -I -S account.py FILE DOMAIN [SID]

FILE contains a line just written by FreeRADIUS, in hexadecimal: the user's name, which is the
certificate's common name, and the certificate's principal name, which is empty if it has none. The
principal name is the account, else the user's name. The account must exist and be neither disabled
nor expired nor locked out; with a SID, it must be a member of that group, in person or through
other groups. Exit code 1 with a message that has an NTSTATUS otherwise, and for every error.

A certificate is no password: nothing else of a logon happens at the domain controller. `net` asks
over LDAP as the server's own account of the domain. Standard library only.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin", "KRB5_CONFIG": "/run/krb5.conf"}
CONFIGURATION = "/etc/samba/smb.conf"
LIMIT = 8
"""Seconds; FreeRADIUS waits 10 for a program."""
NO_LOGON_SERVERS = "no logon servers (0xc000005e)"
UNKNOWN = "no such user (0xc0000064)"
DISABLED = "the account is disabled (0xc0000072)"
EXPIRED = "the account has expired (0xc0000193)"
LOCKED_OUT = "the account is locked out (0xc0000234)"
NOT_IN_GROUP = "the user is not in the required group (0xc000015b)"
ACCOUNT_DISABLED, LOCKOUT = 0x2, 0x10
"""userAccountControl, and msDS-User-Account-Control-Computed (MS-ADTS 2.2.16)."""
NEVER = (0, 0x7FFFFFFFFFFFFFFF)
"""accountExpires of an account that does not (MS-ADTS 3.1.1.8.3)."""
NT_EPOCH = 11644473600
"""Seconds from 1601 to 1970 (MS-DTYP, FILETIME)."""
COMPUTED = "msDS-User-Account-Control-Computed"
ATTRIBUTES = ("distinguishedName", "userAccountControl", "accountExpires", COMPUTED)


class RefusedError(Exception):
    """The message says why."""


def taken(path: str) -> tuple[str, str]:
    """Read the user's name and the principal name of the file's last line, and empty the file."""
    with open(path, "r+", encoding="ascii") as file:  # noqa: PTH123 (pathlib takes 10 ms to import)
        lines = file.read().splitlines()
        file.truncate(0)
    name, principal = (bytes.fromhex(part).decode() for part in lines[-1].split(" "))
    return name, principal


def search_filter(name: str, principal: str, domain: str) -> str:
    """The LDAP filter (RFC 4515) that finds the account. RefusedError: it is another domain's."""
    whose = principal or name
    own, backslash, account = whose.rpartition("\\")
    if backslash and own.lower() != domain.lower():
        raise RefusedError(UNKNOWN)
    kind = "userPrincipalName" if "@" in account else "sAMAccountName"
    return f"(&(objectCategory=person)(objectClass=user)({kind}={_escaped(account)}))"


def _escaped(value: str) -> str:
    """Everything but letters, digits and a few signs is written by its number."""
    plain = re.compile(rb"[A-Za-z0-9@._-]")
    return "".join(
        chr(byte) if plain.fullmatch(bytes((byte,))) else f"\\{byte:02x}" for byte in value.encode()
    )


def entries(output: str) -> list[dict[str, list[str]]]:
    """The entries in the output of `net ads search`: attributes to values."""
    _, found, body = output.partition("Got ")
    count, _, rest = body.partition(" replies")
    if not found or not count.isdecimal():
        raise RefusedError(NO_LOGON_SERVERS)
    result: list[dict[str, list[str]]] = []
    for part in re.split(r"\n\s*\n", rest):
        entry: dict[str, list[str]] = {}
        for line in part.strip().splitlines():
            key, _, value = line.partition(": ")
            entry.setdefault(key, []).append(value)
        if entry:
            result.append(entry)
    if len(result) != int(count):
        raise RefusedError(NO_LOGON_SERVERS)
    return result


def judge(entry: dict[str, list[str]], now: float) -> None:
    """RefusedError: the account may not log in. KeyError, ValueError: it cannot be read."""
    if int(entry["userAccountControl"][0]) & ACCOUNT_DISABLED:
        raise RefusedError(DISABLED)
    expires = int(entry["accountExpires"][0])
    if expires not in NEVER and expires / 10_000_000 - NT_EPOCH <= now:
        raise RefusedError(EXPIRED)
    if int(entry[COMPUTED][0]) & LOCKOUT:
        raise RefusedError(LOCKED_OUT)


def controller() -> str:
    """The domain controller of smb.conf. Named, it is asked even if it was away a minute ago, which
    `net` would remember (measured, Samba 4.17). IndexError: there is none."""
    with open(CONFIGURATION, encoding="utf-8") as file:  # noqa: PTH123 (as above)
        found: list[str] = re.findall(r"(?m)^\s*password server\s*=\s*(\S+)", file.read())
    return found[0]


def ask(what: str, *arguments: str) -> list[dict[str, list[str]]]:
    """The entries that `net ads` finds."""
    done = subprocess.run(
        ["net", "ads", what, "-P", "-S", controller(), *arguments],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT / 2,
        check=False,
    )
    return entries(done.stdout.decode(errors="replace")) if done.returncode == 0 else entries("")


def check(path: str, domain: str, group: str) -> None:
    """RefusedError: the user is not let in."""
    found = ask("search", search_filter(*taken(path), domain), *ATTRIBUTES)
    if len(found) != 1:
        raise RefusedError(UNKNOWN)
    judge(found[0], time.time())
    if group:
        [own] = ask("dn", found[0]["distinguishedName"][0], "tokenGroups")
        if group not in own.get("tokenGroups", []):
            raise RefusedError(NOT_IN_GROUP)


def main(path: str, domain: str, group: str = "") -> int:
    """Run the program; return the exit code."""
    try:
        check(path, domain, group)
    except RefusedError as refused:
        print(refused)
        return 1
    except Exception as error:  # noqa: BLE001 (whatever it is, nobody comes in)
        print(f"{type(error).__name__}: {NO_LOGON_SERVERS}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
