"""The sections of FreeRADIUS's configuration: modules and virtual servers. Pure text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from radius.freeradius import Domain, Instance
    from radius.methods import Method

EAP_TYPES: dict[Method, str] = {"EAP-TLS": "tls", "EAP-MSCHAPv2": "mschapv2", "PEAP": "peap"}
"""In the order in which they are proposed: the first is what a client is asked for at first. A pppd
with a certificate takes nothing but EAP-TLS, and does not ask for it in place of another."""


def quoted(text: str) -> str:
    """A value in single quotes, within which FreeRADIUS expands nothing and knows no escape but
    that of the quote itself; ValueError for what cannot be written so."""
    if not can_be_quoted(text):
        raise ValueError(
            "a backslash before a quote or at the end cannot be written for FreeRADIUS"
        )
    return "'" + text.replace("'", "\\'") + "'"


def can_be_quoted(text: str) -> bool:
    """Whether `quoted` can write it."""
    return text.isprintable() and "\\'" not in text and not text.endswith("\\")


def block(name: str, *lines: str | Sequence[str]) -> list[str]:
    """`name { lines }`, each on a line of its own, as FreeRADIUS wants it."""
    flat = [part for line in lines for part in ([line] if isinstance(line, str) else line)]
    return [f"{name} {{", *(f" {line}" for line in flat), "}"]


def modules(instance: Instance, directory: str) -> list[str]:
    """Inside `modules`."""
    # FreeRADIUS compiles these words only where an instance of them is.
    always = [
        line
        for code in ("ok", "reject", "handled", "noop", "notfound")
        for line in block(f"always {code}", f"rcode = {code}")
    ]
    eap = [EAP_TYPES[method] for method in EAP_TYPES if method in instance.methods]
    return [
        *always,
        *block("pap"),
        *block("mschap", "with_ntdomain_hack = yes", *_ntlm_auth(instance.domain)),
        *(_password_program(instance.domain) if instance.domain else []),
        *block("files", f"filename = {directory}/users"),
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
    return block("exec ntlm_auth", "wait = yes", f'program = "{" ".join(words)}"')


def _membership(domain: Domain) -> list[str]:
    """By SID: the backslash of a name does not survive the configuration (facts, pitfall 4)."""
    return [f"--require-membership-of={domain.group}"] if domain.group else []


def _eap(types: list[str], instance: Instance, directory: str) -> list[str]:
    inside: list[Sequence[str]] = []
    if instance.tls:
        inside.append(_tls_config(instance, directory))
    if {"mschapv2", "peap"} & set(types):
        # A client that does not answer the failure would wait (facts, pitfall 5).
        inside.append(block("mschapv2", "send_error = no"))
    if "tls" in types:
        inside.append(block("tls", "tls = common"))
    if "peap" in types:
        inside.append(
            block(
                "peap",
                "tls = common",
                "default_eap_type = mschapv2",
                "copy_request_to_tunnel = yes",
                "use_tunneled_reply = yes",
                "virtual_server = inner",
            )
        )
    return block(
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
    return block(
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
        block("cache", "enable = no"),
    )


def server(instance: Instance) -> list[str]:
    """The virtual server that gateways speak with."""
    sign = block("update reply", "&Message-Authenticator := 0x00") if instance.signs_all else []
    return block(
        "server default",
        block("listen", "type = auth", f"ipaddr = {instance.address}", f"port = {instance.port}"),
        _authorize(instance),
        _authenticate(instance),
        block("post-auth", sign, block("Post-Auth-Type REJECT", sign or ["ok"])),
    )


def _authorize(instance: Instance) -> list[str]:
    speaks = set(instance.methods)
    return block(
        "authorize",
        ["mschap"] if "MS-CHAPv2" in speaks else [],
        block("eap", "ok = return") if speaks & set(EAP_TYPES) else [],
        ["files"],
        _pap(instance) if "PAP" in speaks else [],
    )


def _pap(instance: Instance) -> list[str]:
    if instance.domain is None:
        return ["pap"]
    stranger = "if (&User-Password && !&control:NT-Password)"
    return [*block(stranger, block("update control", "&Auth-Type := ntlm_auth")), "pap"]


def _authenticate(instance: Instance) -> list[str]:
    speaks = set(instance.methods)
    return block(
        "authenticate",
        block("Auth-Type PAP", "pap") if "PAP" in speaks else [],
        block("Auth-Type ntlm_auth", "ntlm_auth") if "PAP" in speaks and instance.domain else [],
        block("Auth-Type MS-CHAP", "mschap"),
        ["eap"] if speaks & set(EAP_TYPES) else [],
    )


def inner() -> list[str]:
    """What is inside PEAP: EAP-MSCHAPv2."""
    return block(
        "server inner",
        block("authorize", ["mschap"], block("eap", "ok = return"), ["files"]),
        block("authenticate", block("Auth-Type MS-CHAP", "mschap"), ["eap"]),
        block("post-auth", block("Post-Auth-Type REJECT", "ok")),
    )
