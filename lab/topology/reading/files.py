"""Check the user's own certificate and key files: present, readable, and belonging together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath

from lab.topology.model.topology import Authority, ClientCertificate, Topology
from lab.topology.reading.identities import Files, Flaw, Identity, read_identity
from lab.topology.reading.problems import Path, Problem

_Own = Authority | ClientCertificate


def file_problems(topology: Topology, base: FilePath) -> Iterator[Problem]:
    """All problems with the files; their names are relative to `base`."""
    for name, authority in topology.pki.items():
        yield from _problems(topology, authority, ("pki", name), base)
    for name, client in topology.clients.items():
        if client.certificate:
            path = ("clients", name, "certificate")
            yield from _problems(topology, client.certificate, path, base)


def _problems(topology: Topology, own: _Own, path: Path, base: FilePath) -> Iterator[Problem]:
    identity, flaws = _read(own, base)
    for flaw in flaws:
        yield Problem((*path, flaw.part), flaw.message, flaw.remedy)
    issuer = topology.pki.get(own.issuer or "")
    if identity is None or issuer is None:
        return
    above, flaws = _read(issuer, base)
    if not flaws and (above is None or not identity.is_below(above)):
        yield Problem(
            (*path, "issuer"),
            f"{own.issuer!r} has not issued {own.certificate}",
            "leave the issuer out" + ("" if above else ": the lab makes it anew each time"),
        )


def _read(own: _Own, base: FilePath) -> tuple[Identity | None, list[Flaw]]:
    """What the files have; neither, if the lab makes the certificate."""
    if own.certificate is None:
        return None, []
    password = own.password.get_secret_value() if own.password else None
    files = Files(base, own.certificate, own.key, password, own.passwordFile)
    return read_identity(files, needs_key=isinstance(own, ClientCertificate))
