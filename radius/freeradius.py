"""The configuration of a FreeRADIUS 3.2 server from a few values: files by name. Pure text.

One server, no includes: `freeradius -f -d DIRECTORY -n radiusd`. It knows its users' passwords by
their NT hashes alone (RFC 2759's NtPasswordHash, MD4 over UTF-16), which is all that PAP and
MS-CHAPv2 need, or asks an Active Directory by ntlm_auth. Users' certificates are judged by an
authority and a revocation list of the server's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

from Crypto.Hash import MD4

from radius.methods import Method

PORT = 1812
NAME = "radiusd"
_EAP_TYPES: dict[Method, str] = {"EAP-TLS": "tls", "EAP-MSCHAPv2": "mschapv2", "PEAP": "peap"}
"""In the order in which they are proposed: the first is what a client is asked for at first. A pppd
with a certificate takes nothing but EAP-TLS, and does not ask for it in place of another."""


@dataclass(frozen=True)
class Client:
    """Who may ask: a gateway, by the prefix of its GatewaySubnet."""

    prefix: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Tls:
    """The server's certificate, with its chain, and key; PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Authority:
    """Who issues the users' certificates, and what of them is revoked; PEM."""

    certificate: bytes
    revocation_list: bytes


@dataclass(frozen=True)
class Domain:
    """The Active Directory of which the server is a member."""

    name: str
    """Its NetBIOS name."""
    group: str | None = None
    """The SID of the group whose members alone are let in."""


@dataclass(frozen=True)
class Instance:
    """A RADIUS server."""

    address: str
    clients: tuple[Client, ...]
    users: dict[str, str] = field(default_factory=dict, repr=False)
    """Names to passwords."""
    methods: tuple[Method, ...] = get_args(Method)
    tls: Tls | None = None
    """Needed for PEAP and EAP-TLS."""
    authority: Authority | None = None
    """Needed for EAP-TLS."""
    domain: Domain | None = None
    port: int = PORT
    signs_all: bool = True
    """Whether every answer has a Message-Authenticator; Debian 12's FreeRADIUS by itself leaves
    it out after PAP and raw MS-CHAPv2."""


@dataclass(frozen=True)
class File:
    """Content and mode."""

    content: bytes = field(repr=False)
    mode: int = 0o600


def command(directory: str, instance: Instance) -> list[str]:
    """How it is started. With a domain in one thread: else it looks after ntlm_auth only every
    100 ms (facts: 24 ms in place of 125)."""
    argv = ["freeradius", "-f", "-l", "stdout", "-d", directory, "-n", NAME]
    return [*argv, "-s"] if instance.domain else argv


def files(instance: Instance, directory: str) -> dict[str, File]:
    """What belongs into `directory`, by name; ValueError where a method lacks what it needs."""
    _complete(instance)
    texts = {f"{NAME}.conf": _main(instance, directory), "users": _users(instance)}
    made = {name: File(text.encode()) for name, text in texts.items()}
    if instance.tls:
        made["server.pem"] = File(instance.tls.certificate)
        made["server.key"] = File(instance.tls.key)
    if instance.authority:
        # OpenSSL takes certificates and revocation lists from the same file.
        both = instance.authority.certificate + instance.authority.revocation_list
        made["authority.pem"] = File(both)
    return made


def nt_hash(password: str) -> str:
    """Hexadecimal digits of NtPasswordHash (RFC 2759, section 8.3)."""
    return MD4.new(password.encode("utf-16-le")).hexdigest()  # noqa: S303 (RFC 2759's)


def _complete(instance: Instance) -> None:
    if {"PEAP", "EAP-TLS"} & set(instance.methods) and instance.tls is None:
        raise ValueError("PEAP and EAP-TLS need a server certificate")
    if "EAP-TLS" in instance.methods and instance.authority is None:
        raise ValueError("EAP-TLS needs an authority of the users' certificates")


def quoted(text: str) -> str:
    """A value in single quotes, within which FreeRADIUS expands nothing and knows no escape but
    that of the quote itself; ValueError for what cannot be written so."""
    if not text.isprintable() or "\\'" in text or text.endswith("\\"):
        raise ValueError(
            "a backslash before a quote or at the end cannot be written for FreeRADIUS"
        )
    return "'" + text.replace("'", "\\'") + "'"


def _block(name: str, *lines: str | Sequence[str]) -> list[str]:
    """`name { lines }`, each on a line of its own, as FreeRADIUS wants it."""
    flat = [part for line in lines for part in ([line] if isinstance(line, str) else line)]
    return [f"{name} {{", *(f" {line}" for line in flat), "}"]


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
        "cleanup_delay = 2",
        "max_requests = 4096",
        "hostname_lookups = no",
        *_block("log", "destination = stdout", "auth = yes"),
        *_block(
            "security",
            "max_attributes = 200",
            "reject_delay = 0",
            "status_server = yes",
            "allow_vulnerable_openssl = yes",
        ),
        *_block(
            "thread pool",
            "start_servers = 1",
            "max_servers = 4",
            "min_spare_servers = 1",
            "max_spare_servers = 2",
            "max_requests_per_server = 0",
        ),
        *(line for n, client in enumerate(instance.clients) for line in _client(n, client)),
        *_block("modules", _modules(instance, directory)),
        *_server(instance),
        *(_inner() if "PEAP" in instance.methods else []),
    ]
    return "\n".join(lines) + "\n"


def _client(number: int, client: Client) -> list[str]:
    return _block(
        f"client gateway{number}",
        f"ipaddr = {client.prefix}",
        f"secret = {quoted(client.secret)}",
        "require_message_authenticator = yes",
    )


def _modules(instance: Instance, directory: str) -> list[str]:
    # FreeRADIUS compiles these words only where an instance of them is.
    always = [
        line
        for code in ("ok", "reject", "handled", "noop", "notfound")
        for line in _block(f"always {code}", f"rcode = {code}")
    ]
    eap = [_EAP_TYPES[method] for method in _EAP_TYPES if method in instance.methods]
    return [
        *always,
        *_block("pap"),
        *_block("mschap", "with_ntdomain_hack = yes", *_ntlm_auth(instance.domain)),
        *(_password_program(instance.domain) if instance.domain else []),
        *_block("files", f"filename = {directory}/users"),
        *(_eap(eap, instance, directory) if eap else []),
    ]


def _ntlm_auth(domain: Domain | None) -> list[str]:
    if domain is None:
        return []
    words = (
        "/usr/bin/ntlm_auth --request-nt-key --allow-mschapv2",
        f"--domain={domain.name} --username=%{{mschap:User-Name}}",
        "--challenge=%{%{mschap:Challenge}:-00} --nt-response=%{%{mschap:NT-Response}:-00}",
        *_membership(domain),
    )
    return [f'ntlm_auth = "{" ".join(words)}"']


def _password_program(domain: Domain) -> list[str]:
    """PAP: only the domain controller can compare the password."""
    words = (
        "/usr/bin/ntlm_auth --request-nt-key",
        f"--domain={domain.name} --username=%{{mschap:User-Name}}",
        "--password=%{User-Password}",
        *_membership(domain),
    )
    return _block("exec ntlm_auth", "wait = yes", f'program = "{" ".join(words)}"')


def _membership(domain: Domain) -> list[str]:
    """By SID: the backslash of a name does not survive the configuration (facts, pitfall 4)."""
    return [f"--require-membership-of={domain.group}"] if domain.group else []


def _eap(types: list[str], instance: Instance, directory: str) -> list[str]:
    inside: list[Sequence[str]] = []
    if instance.tls:
        inside.append(_tls_config(instance, directory))
    if {"mschapv2", "peap"} & set(types):
        # A client that does not answer the failure would wait (facts, pitfall 5).
        inside.append(_block("mschapv2", "send_error = no"))
    if "tls" in types:
        inside.append(_block("tls", "tls = common"))
    if "peap" in types:
        inside.append(
            _block(
                "peap",
                "tls = common",
                "default_eap_type = mschapv2",
                "copy_request_to_tunnel = yes",
                "use_tunneled_reply = yes",
                "virtual_server = inner",
            )
        )
    return _block(
        "eap",
        f"default_eap_type = {types[0]}",
        "timer_expire = 60",
        "ignore_unknown_eap_types = no",
        "max_sessions = 4096",
        *inside,
    )


def _tls_config(instance: Instance, directory: str) -> list[str]:
    # Without users' certificates the server's own stand there: FreeRADIUS wants some.
    trusted = "authority.pem" if instance.authority else "server.pem"
    return _block(
        "tls-config common",
        f"private_key_file = {directory}/server.key",
        f"certificate_file = {directory}/server.pem",
        f"ca_file = {directory}/{trusted}",
        f"check_crl = {'yes' if instance.authority else 'no'}",
        # Nobody signs in with a certificate under another's name.
        'check_cert_cn = "%{User-Name}"',
        "auto_chain = no",
        "include_length = yes",
        'tls_min_version = "1.2"',
        'tls_max_version = "1.2"',
        'cipher_list = "DEFAULT"',
        'ecdh_curve = ""',
        "fragment_size = 1024",
        _block("cache", "enable = no"),
    )


def _server(instance: Instance) -> list[str]:
    sign = _block("update reply", "&Message-Authenticator := 0x00") if instance.signs_all else []
    return _block(
        "server default",
        _block("listen", "type = auth", f"ipaddr = {instance.address}", f"port = {instance.port}"),
        _authorize(instance),
        _authenticate(instance),
        _block("post-auth", sign, _block("Post-Auth-Type REJECT", sign or ["ok"])),
    )


def _authorize(instance: Instance) -> list[str]:
    speaks = set(instance.methods)
    return _block(
        "authorize",
        ["mschap"] if "MS-CHAPv2" in speaks else [],
        _block("eap", "ok = return") if speaks & set(_EAP_TYPES) else [],
        ["files"],
        _pap(instance) if "PAP" in speaks else [],
    )


def _pap(instance: Instance) -> list[str]:
    if instance.domain is None:
        return ["pap"]
    stranger = "if (&User-Password && !&control:NT-Password)"
    return [*_block(stranger, _block("update control", "&Auth-Type := ntlm_auth")), "pap"]


def _authenticate(instance: Instance) -> list[str]:
    speaks = set(instance.methods)
    return _block(
        "authenticate",
        _block("Auth-Type PAP", "pap") if "PAP" in speaks else [],
        _block("Auth-Type ntlm_auth", "ntlm_auth") if "PAP" in speaks and instance.domain else [],
        _block("Auth-Type MS-CHAP", "mschap"),
        ["eap"] if speaks & set(_EAP_TYPES) else [],
    )


def _inner() -> list[str]:
    """What is inside PEAP: EAP-MSCHAPv2."""
    return _block(
        "server inner",
        _block("authorize", ["mschap"], _block("eap", "ok = return"), ["files"]),
        _block("authenticate", _block("Auth-Type MS-CHAP", "mschap"), ["eap"]),
        _block("post-auth", _block("Post-Auth-Type REJECT", "ok")),
    )


def _users(instance: Instance) -> str:
    """rlm_files: a domain's member checks its own users itself."""
    own = ", MS-CHAP-Use-NTLM-Auth := No" if instance.domain else ""
    return "".join(
        f"{quoted(name)} NT-Password := 0x{nt_hash(password)}{own}\n"
        for name, password in instance.users.items()
    )
