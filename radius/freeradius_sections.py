"""The sections of FreeRADIUS's configuration: modules and virtual servers. Pure text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from radius.printable import is_printable

if TYPE_CHECKING:
    from radius.freeradius_instance import Domain, Instance
    from radius.methods import Method

EAP_TYPES: dict[Method, str] = {"EAP-TLS": "tls", "EAP-MSCHAPv2": "mschapv2", "PEAP": "peap"}
"""The first one is proposed first. A pppd with a certificate accepts only EAP-TLS, and does not
request it (Nak) if another type is proposed."""


REFUSALS = "refusals"
"""The file with one line per refusal: user and reason (radius.reasons.of_freeradius)."""
PROGRAM, QUESTION = "winbind.py", "question"
"""radius.winbind, and the file with its input."""
ACCOUNT_PROGRAM, OWNER = "account.py", "owner"
"""radius.account, and the file with its input."""
_USER = "%{hex:&User-Name}"
_PRINCIPAL = "%{hex:&TLS-Client-Cert-Subject-Alt-Name-Upn}"


def quoted(text: str) -> str:
    """A value in single quotes, in which FreeRADIUS expands nothing and only the quote can be
    escaped. ValueError: the value cannot be quoted."""
    if not can_be_quoted(text):
        raise ValueError(
            "a backslash before a quote or at the end cannot be written for FreeRADIUS"
        )
    return "'" + text.replace("'", "\\'") + "'"


def can_be_quoted(text: str) -> bool:
    """Whether `quoted` accepts the text."""
    return is_printable(text) and "\\'" not in text and not text.endswith("\\")


def block(name: str, *lines: str | Sequence[str]) -> list[str]:
    """`name { lines }`, each on its own line, as FreeRADIUS requires."""
    flat = [part for line in lines for part in ([line] if isinstance(line, str) else line)]
    return [f"{name} {{", *(f" {line}" for line in flat), "}"]


def modules(instance: Instance, directory: str) -> list[str]:
    """The content of the section `modules`."""
    # FreeRADIUS knows these return codes as keywords only if there is an instance of each.
    always = [
        line
        for code in ("ok", "reject", "handled", "noop", "notfound")
        for line in block(f"always {code}", f"rcode = {code}")
    ]
    eap = [EAP_TYPES[method] for method in EAP_TYPES if method in instance.methods]
    return [
        *always,
        *block("pap"),
        *block("mschap", "with_ntdomain_hack = yes", *_winbind(instance.domain, directory)),
        *(_questions(instance.domain, directory) if instance.domain else []),
        *_line("refused", f"{directory}/{REFUSALS}", f"{_USER} %{{hex:&Module-Failure-Message}}"),
        *block("expr"),  # for %{sha256:}
        *block("files", f"filename = {directory}/users", 'key = "%{sha256:&User-Name}"'),
        *(_eap(eap, instance, directory) if eap else []),
    ]


def _line(name: str, path: str, form: str) -> list[str]:
    """A linelog module that writes a line, in which client input is in hexadecimal."""
    return block(
        f"linelog {name}", f"filename = {path}", "permissions = 0600", f'format = "{form}"'
    )


def _winbind(domain: Domain | None, directory: str) -> list[str]:
    return [f'ntlm_auth = "{_program(domain, directory)}"'] if domain else []


def _questions(domain: Domain, directory: str) -> list[str]:
    """The modules that write radius.winbind's input to a private file, because argv is readable by
    everybody, and run it. PAP needs it, too: only the domain controller can check the password."""
    path = f"{directory}/{QUESTION}"
    challenge = "%{%{mschap:Challenge}:-00} %{%{mschap:NT-Response}:-00}"
    return [
        *_line("ask_mschap", path, f"{_USER} {challenge}"),
        *_line("ask_password", path, f"{_USER} %{{hex:&User-Password}}"),
        *_exec("winbind", _program(domain, directory)),
        *_line("ask_account", f"{directory}/{OWNER}", f"{_USER} {_PRINCIPAL}"),
        *_exec("account", _program(domain, directory, ACCOUNT_PROGRAM, OWNER)),
    ]


def _exec(name: str, program: str) -> list[str]:
    return block(f"exec {name}", "wait = yes", f'program = "{program}"')


def _program(
    domain: Domain, directory: str, program: str = PROGRAM, question: str = QUESTION
) -> str:
    group = [domain.group] if domain.group else []
    argv = ["/usr/bin/python3", "-I", "-S", f"{directory}/{program}", f"{directory}/{question}"]
    return " ".join((*argv, domain.name, *group))


def _eap(types: list[str], instance: Instance, directory: str) -> list[str]:
    inside: list[Sequence[str]] = []
    if instance.tls:
        inside.append(_tls_config(instance, directory))
    if {"mschapv2", "peap"} & set(types):
        # Otherwise a client that does not answer the failure would wait (docs/facts.md §16).
        inside.append(block("mschapv2", "send_error = no"))
    if "tls" in types:
        judged = ["virtual_server = account"] if instance.domain else []
        inside.append(block("tls", "tls = common", judged))
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
    # Without an authority, the server's own certificate: FreeRADIUS requires a file.
    trusted = "authority.pem" if instance.authority else "server.pem"
    return block(
        "tls-config common",
        f"private_key_file = {directory}/server.key",
        f"certificate_file = {directory}/server.pem",
        f"ca_file = {directory}/{trusted}",
        f"check_crl = {'yes' if instance.authority else 'no'}",
        # The user name must match the certificate's common name.
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
    """The virtual server for gateways."""
    sign = block("update reply", "&Message-Authenticator := 0x00") if instance.signs_all else []
    return block(
        "server default",
        block("listen", "type = auth", f"ipaddr = {instance.address}", f"port = {instance.port}"),
        _authorize(instance),
        _authenticate(instance),
        block("post-auth", sign, block("Post-Auth-Type REJECT", "refused", sign)),
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
    """Without a domain, a user without a password is unknown. FreeRADIUS would only say that it
    found no method."""
    stranger = "if (&User-Password && !&control:NT-Password)"
    if instance.domain is None:
        why = block("update request", "&Module-Failure-Message := 'no such user'")
        return [*block(stranger, why, "reject"), "pap"]
    return [*block(stranger, block("update control", "&Auth-Type := winbind")), "pap"]


def _authenticate(instance: Instance) -> list[str]:
    speaks = set(instance.methods)
    return block(
        "authenticate",
        block("Auth-Type PAP", "pap") if "PAP" in speaks else [],
        _asking("winbind", "ask_password", "winbind")
        if "PAP" in speaks and instance.domain
        else [],
        _mschap(instance),
        ["eap"] if speaks & set(EAP_TYPES) else [],
    )


def _mschap(instance: Instance) -> list[str]:
    if instance.domain is None:
        return block("Auth-Type MS-CHAP", "mschap")
    return _asking("MS-CHAP", "ask_mschap", "mschap")


_CODES = (
    "reject", "fail", "ok", "handled", "invalid", "userlock", "notfound", "noop", "updated",
)  # fmt: skip
"""The return codes of modules (unlang(5))."""


def _asking(kind: str, question: str, module: str) -> list[str]:
    """An Auth-Type that writes the question and then runs the module. Every return code of the
    module is returned explicitly: by default, FreeRADIUS keeps the previous line's `ok` for some
    refusals."""
    return block(
        f"Auth-Type {kind}",
        block(question, *(f"{code} = {1 if code == 'ok' else 'return'}" for code in _CODES)),
        block(module, *(f"{code} = return" for code in _CODES)),
    )


def inner(instance: Instance) -> list[str]:
    """The virtual server inside PEAP: EAP-MSCHAPv2."""
    return block(
        "server inner",
        block("authorize", ["mschap"], block("eap", "ok = return"), ["files"]),
        block("authenticate", _mschap(instance), ["eap"]),
        block("post-auth", block("Post-Auth-Type REJECT", "refused")),
    )


def account() -> list[str]:
    """The virtual server after a handshake with a user's certificate: the domain has the last word.
    Without an Auth-Type FreeRADIUS refuses."""
    others = [f"{code} = return" for code in _CODES if code != "ok"]
    return block(
        "server account",
        block(
            "authorize",
            block("ask_account", "ok = 1", others),
            block("account", "ok = 1", others),
            block("update control", "&Auth-Type := Accept"),
        ),
        block("post-auth", block("Post-Auth-Type REJECT", "refused")),
    )
