"""Asks winbindd, for FreeRADIUS, whether a domain user may log in:

    /usr/bin/python3 -I -S winbind.py FILE DOMAIN [SID]

FILE contains a line just written by FreeRADIUS, in hexadecimal: the user's name, and a password or
MS-CHAPv2's challenge and NT response. They are in a private file, not in argv, which every user of
the machine can read. The file is emptied at once. With a SID, only members of that group are
accepted. The output is what rlm_mschap expects of ntlm_auth: `NT_KEY: ` and the key, or a message
with winbindd's status and exit code 1.

This program uses libwbclient instead of ntlm_auth, which takes secrets from argv or by protocols on
stdin that FreeRADIUS does not support, and takes twice as long. rlm_mschap's own winbind client
cannot distinguish a disabled account from a wrong password, and does not check groups. Standard
library only.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, Structure, Union, byref, c_char_p, c_uint8, c_uint16, c_uint32, c_uint64

MSCHAPV2 = 0x10000
"""WBC_MSV1_0_ALLOW_MSVCHAPV2."""
PLAIN, RESPONSE = 1, 3
"""enum wbcAuthUserLevel."""
NO_LOGON_SERVERS = 0xC000005E
LOGON_TYPE_NOT_GRANTED = 0xC000015B
"""NTSTATUS; winbindd itself gives it to nobody who is outside a group."""


class _Response(Structure):
    _fields_ = (
        ("challenge", c_uint8 * 8),
        ("nt_length", c_uint32),
        ("nt_data", c_char_p),
        ("lm_length", c_uint32),
        ("lm_data", c_char_p),
    )


class _Password(Union):
    _fields_ = (("plaintext", c_char_p), ("response", _Response))


class _Params(Structure):
    """struct wbcAuthUserParams; this and the structs below are from samba 4.17's wbclient.h."""

    _fields_ = (
        ("account_name", c_char_p),
        ("domain_name", c_char_p),
        ("workstation_name", c_char_p),
        ("flags", c_uint32),
        ("parameter_control", c_uint32),
        ("level", ctypes.c_int),
        ("password", _Password),
    )


class _Sid(Structure):
    _fields_ = (
        ("revision", c_uint8),
        ("count", c_uint8),
        ("authority", c_uint8 * 6),
        ("parts", c_uint32 * 15),
    )

    def __str__(self) -> str:
        authority = int.from_bytes(bytes(self.authority), "big")
        parts = (self.revision, authority, *self.parts[: self.count])
        return "-".join(("S", *map(str, parts)))


class _SidWithAttributes(Structure):
    _fields_ = (("sid", _Sid), ("attributes", c_uint32))


class _Info(Structure):
    """struct wbcAuthUserInfo."""

    _fields_ = (
        ("user_flags", c_uint32),
        *((name, c_char_p) for name in ("account", "principal", "full", "domain", "dns_domain")),
        ("account_flags", c_uint32),
        ("user_session_key", c_uint8 * 16),
        ("lm_session_key", c_uint8 * 8),
        ("logons", c_uint16),
        ("bad_passwords", c_uint16),
        *((name, c_uint64) for name in ("logon", "logoff", "kickoff", "set", "can", "must")),
        *((name, c_char_p) for name in ("server", "script", "profile", "home", "drive")),
        ("number", c_uint32),
        ("sids", POINTER(_SidWithAttributes)),
    )


class _Error(Structure):
    """struct wbcAuthErrorInfo."""

    _fields_ = (
        ("status", c_uint32),
        ("name", c_char_p),
        ("pam_error", ctypes.c_int32),
        ("words", c_char_p),
        ("authoritative", c_uint8),
    )


def taken(path: str) -> list[bytes]:
    """Read the fields of the file's last line, and empty the file."""
    with open(path, "r+", encoding="ascii") as file:  # noqa: PTH123 (pathlib takes 10 ms to import)
        lines = file.read().splitlines()
        file.truncate(0)
    return [bytes.fromhex(part) for part in lines[-1].split(" ")]


def params(fields: list[bytes], domain: str) -> _Params:
    """The request to winbindd. ValueError: the fields have neither of the two forms."""
    user = fields[0].rpartition(b"\\")[2]
    if b"\0" in user:
        raise ValueError("not a user name")
    asked = _Params(account_name=user, domain_name=domain.encode())
    match fields[1:]:
        case [challenge, response] if (len(challenge), len(response)) == (8, 24):
            asked.level, asked.parameter_control = RESPONSE, MSCHAPV2
            asked.password.response.challenge[:] = challenge
            asked.password.response.nt_length = len(response)
            asked.password.response.nt_data = response
        case [password] if b"\0" not in password:
            asked.level, asked.password.plaintext = PLAIN, password
        case _:
            raise ValueError("neither a password nor a response")
    return asked


def main(path: str, domain: str, group: str = "") -> int:
    """Run the program; return the exit code."""
    asked = params(taken(path), domain)
    library = ctypes.CDLL("libwbclient.so.0")
    info, error = POINTER(_Info)(), POINTER(_Error)()
    if library.wbcAuthenticateUserEx(byref(asked), byref(info), byref(error)) or not info:
        words, status = "winbindd does not answer", NO_LOGON_SERVERS
        if error:
            words, status = error.contents.name.decode(), error.contents.status
        print(f"{words} (0x{status:08x})")
        return 1
    found = info.contents
    if group and group not in {str(found.sids[n].sid) for n in range(found.number)}:
        print(f"the user is not in the required group (0x{LOGON_TYPE_NOT_GRANTED:08x})")
        return 1
    print(f"NT_KEY: {bytes(found.user_session_key).hex().upper()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
