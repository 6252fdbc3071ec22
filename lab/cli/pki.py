"""`p2slab pki`: make certificate authorities and client certificates.

Seed: "You can use a root certificate that was generated using an Enterprise solution, or you can
generate a self-signed certificate"; "Client certificates are generated from a trusted root".
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from lab.boot.enter import outside
from lab.errors import UsageError

if TYPE_CHECKING:
    from lab.pki.authority import Credential

P12_ROUNDS = 20_000
"""Rounds of key derivation: openssl's default of 2,048 is too low today."""
VARIABLE = "P2SLAB_P12_PASSWORD"
THUMBPRINT = "(SHA-1 of the whole DER, including the signature: it changes when issued again)"
F = TypeVar("F", bound=Callable[..., Any])


def _common(function: F) -> F:
    """Options of every kind of certificate."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        click.option("--days", default=365, show_default=True, help="Days of validity."),
        click.option("--subject", help="The common name; default: NAME."),
        click.option("--out", default=".", show_default=True, help="The directory to write to.",
                     type=click.Path(path_type=Path, file_okay=False)),
    ):  # fmt: skip
        function = option(function)
    return function


_ISSUER = click.option(
    "--issuer", required=True, metavar="NAME", help="Its issuer: NAME.pem and NAME.key in --out."
)


@click.group()
def command() -> None:
    """Make certificate authorities and client certificates.

    Each makes NAME.pem, NAME.cer (Base64 for Azure's publicCertData), NAME.key (mode 0600) and,
    for clients, NAME.p12. Use them in a topology with `certificate:` and `key:`.
    """


@command.command()
@click.argument("name")
@_common
def root(name: str, **options: Any) -> None:
    """A self-signed root."""
    _make(name, "root", None, **options)


@command.command()
@click.argument("name")
@_ISSUER
@_common
def intermediate(name: str, issuer: str, **options: Any) -> None:
    """An intermediate authority of an enterprise PKI."""
    _make(name, "intermediate", issuer, **options)


@command.command()
@click.argument("name")
@_ISSUER
@click.option("--password", envvar=VARIABLE, help="Password of the .p12; visible in `ps`.")
@click.option("--password-file", type=click.Path(path_type=Path), metavar="FILE",
              help="File with the password in its first line; - is stdin.")  # fmt: skip
@_common
def client(
    name: str, issuer: str, password: str | None, password_file: Path | None, **options: Any
) -> None:
    """The certificate of a VPN user.

    The password of NAME.p12 comes from an option or P2SLAB_P12_PASSWORD; otherwise you are asked
    for it.
    """
    if password_file is not None:
        password = _first_line(password_file)
    _make(name, "client", issuer, password=password or _prompt(), **options)


def _first_line(file: Path) -> str:
    try:
        if str(file) == "-":
            return sys.stdin.readline().rstrip("\r\n")
        with file.open(encoding="utf-8") as opened:
            return opened.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(
            f"{outside(file)} cannot be read: {reason}", "name a file with the password"
        ) from None


def _prompt() -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            "the .p12 needs a password, and there is no terminal to ask for it",
            f"--password-file FILE, or {VARIABLE} in the environment",
        )
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


def _make(
    name: str,
    kind: Literal["root", "intermediate", "client"],
    issuer: str | None,
    *,
    out: Path,
    subject: str | None,
    days: int,
    as_json: bool,
    password: str = "",
) -> None:
    from lab.pki.authority import sign  # noqa: PLC0415 (cryptography: not for --help)
    from lab.pki.stock import fresh_key  # noqa: PLC0415 (as above)
    from lab.topology.planning.plan import CertificatePlan  # noqa: PLC0415 (as above)

    if name != Path(name).name or not name:
        raise UsageError(f"{name!r} cannot be a file name", "give a plain name, such as corp-root")
    plan = CertificatePlan(name, subject or name, issuer, kind, days_after=days)
    signer = _read(out, issuer) if issuer else None
    made = sign(plan, fresh_key(), signer)
    files = _write(out, made, password if kind == "client" else None)
    if as_json:
        about = {"files": files, "thumbprint": made.thumbprint}
        click.echo(json.dumps(about | {"publicCertData": made.public_cert_data}, indent=2))
    else:
        click.echo("\n".join(files))
        click.echo(f"thumbprint {made.thumbprint} {THUMBPRINT}", err=True)


def _read(out: Path, name: str) -> Credential:
    """An issuer made by an earlier call, with those certificates of its chain that are in `out`."""
    from lab.pki.authority import Credential, load_certificate, load_key  # noqa: PLC0415 (as above)

    certificate = load_certificate(name, out / f"{name}.pem")
    here = {
        found.subject: found
        for found in (load_certificate(path.stem, path) for path in sorted(out.glob("*.pem")))
    }
    above = []
    top = certificate
    while top.issuer != top.subject and top.issuer in here:
        top = here.pop(top.issuer)
        above.append(top)
    return Credential(name, certificate, load_key(name, out / f"{name}.key"), tuple(above))


def _write(out: Path, made: Credential, password: str | None) -> list[str]:
    """Write the files of a credential; UsageError if one of them already exists."""
    contents = {
        "pem": (made.certificate_pem, 0o644),
        "cer": (f"{made.public_cert_data}\n".encode(), 0o644),
        "key": (made.key_pem, 0o600),
        **({} if password is None else {"p12": (made.p12(password, rounds=P12_ROUNDS), 0o600)}),
    }
    files = {out / f"{made.name}.{ending}": content for ending, content in contents.items()}
    existing = [outside(path) for path in files if path.exists()]
    if existing:
        raise UsageError(f"{', '.join(existing)}: already exists", "remove it, or use another name")
    out.mkdir(parents=True, exist_ok=True)
    for path, (content, mode) in files.items():
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(path, flags, mode), "wb") as file:
            file.write(content)
    return [outside(path) for path in files]
