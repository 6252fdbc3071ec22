"""The configuration of a FreeRADIUS 3.2 server: files by name. Pure text.

A single server without includes: `freeradius -f -d DIRECTORY -n radiusd`. It stores only NT hashes
of its users' passwords (RFC 2759's NtPasswordHash, MD4 over UTF-16), which suffice for PAP and
MS-CHAPv2, or asks an Active Directory through radius.winbind. It verifies users' certificates
against its own authority and revocation list.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from Crypto.Hash import MD4

from radius.freeradius_instance import Client, Instance
from radius.freeradius_sections import (
    ACCOUNT_PROGRAM,
    PROGRAM,
    account,
    block,
    inner,
    modules,
    quoted,
    server,
)

_REMEMBERED = {False: 2, True: 10}
"""cleanup_delay in seconds, without and with a domain: how long an answer is repeated for a
retransmitted request. With a domain, many clients wait so long that they retransmit, and would be
authenticated twice."""
NAME = "radiusd"


@dataclass(frozen=True)
class File:
    """A file's content and mode."""

    content: bytes = field(repr=False)
    mode: int = 0o600


def command(directory: str, instance: Instance) -> list[str]:
    """The command line. With a domain, a single thread (-s): otherwise FreeRADIUS polls a started
    program every 100 ms (docs/facts.md §16), and radius.winbind needs one request at a
    time."""
    argv = ["freeradius", "-f", "-l", "stdout", "-d", directory, "-n", NAME]
    return [*argv, "-s"] if instance.domain else argv


def files(instance: Instance, directory: str) -> dict[str, File]:
    """The files for `directory`, by name. ValueError: a method lacks its certificate."""
    _complete(instance)
    texts = {f"{NAME}.conf": _main(instance, directory), "users": _users(instance)}
    made = {name: File(text.encode()) for name, text in texts.items()}
    if instance.domain:
        for program in (PROGRAM, ACCOUNT_PROGRAM):
            made[program] = File(Path(__file__).with_name(program).read_bytes())
    if instance.tls:
        made["server.pem"] = File(instance.tls.certificate)
        made["server.key"] = File(instance.tls.key)
    if instance.authority:
        # OpenSSL reads certificates and revocation lists from the same file.
        both = instance.authority.certificate + instance.authority.revocation_list
        made["authority.pem"] = File(both)
    return made


def nt_hash(password: str) -> str:
    """Hexadecimal digits of NtPasswordHash (RFC 2759, section 8.3)."""
    return MD4.new(password.encode("utf-16-le")).hexdigest()  # noqa: S303 (RFC 2759's)


def user_key(name: str) -> str:
    """The user's key in the file `users`, where no name may be written: DEFAULT is everybody, and
    quoted words are cut at 255 bytes."""
    return hashlib.sha256(name.encode()).hexdigest()


def _complete(instance: Instance) -> None:
    if {"PEAP", "EAP-TLS"} & set(instance.methods) and instance.tls is None:
        raise ValueError("PEAP and EAP-TLS need a server certificate")
    if "EAP-TLS" in instance.methods and instance.authority is None:
        raise ValueError("EAP-TLS needs an authority of the users' certificates")


def _main(instance: Instance, directory: str) -> str:
    lines = [
        f"name = {NAME}",
        "prefix = /usr",
        "libdir = /usr/lib/freeradius",
        *(
            f"{what} = {directory}"
            for what in ("confdir", "raddbdir", "logdir", "run_dir", "db_dir")
        ),
        f"pidfile = {directory}/pid",
        "max_request_time = 30",
        f"cleanup_delay = {_REMEMBERED[instance.domain is not None]}",
        "max_requests = 65536",
        "hostname_lookups = no",
        *block("log", "destination = stdout", "auth = yes"),
        *block(
            "security",
            "max_attributes = 200",
            "reject_delay = 0",
            "status_server = yes",
            "allow_vulnerable_openssl = yes",
        ),
        *block(
            "thread pool",
            "start_servers = 1",
            "max_servers = 4",
            "min_spare_servers = 1",
            "max_spare_servers = 2",
            "max_requests_per_server = 0",
        ),
        *(line for n, client in enumerate(instance.clients) for line in _client(n, client)),
        *block("modules", modules(instance, directory)),
        *server(instance),
        *(inner(instance) if "PEAP" in instance.methods else []),
        *(account() if "EAP-TLS" in instance.methods and instance.domain else []),
    ]
    return "\n".join(lines) + "\n"


def _client(number: int, client: Client) -> list[str]:
    return block(
        f"client gateway{number}",
        f"ipaddr = {client.prefix}",
        f"secret = {quoted(client.secret)}",
        "require_message_authenticator = yes",
    )


def _users(instance: Instance) -> str:
    """The users file of rlm_files; a domain member authenticates these users itself."""
    own = ", MS-CHAP-Use-NTLM-Auth := No" if instance.domain else ""
    return "".join(
        f"{user_key(name)} NT-Password := 0x{nt_hash(password)}{own}\n"
        for name, password in instance.users.items()
    )
