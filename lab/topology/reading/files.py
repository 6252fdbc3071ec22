"""Check the user's own certificate and key files: present, readable, and belonging together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath

from lab.topology.model.topology import Authority, ClientCertificate, Topology
from lab.topology.reading.identities import Files, read_identity
from lab.topology.reading.problems import Path, Problem


def file_problems(topology: Topology, base: FilePath) -> Iterator[Problem]:
    """All problems with the files; their names are relative to `base`."""
    for name, authority in topology.pki.items():
        yield from _problems(authority, ("pki", name), base, needs_key=False)
    for name, client in topology.clients.items():
        if client.certificate:
            path = ("clients", name, "certificate")
            yield from _problems(client.certificate, path, base, needs_key=True)


def _problems(
    own: Authority | ClientCertificate, path: Path, base: FilePath, *, needs_key: bool
) -> Iterator[Problem]:
    if own.certificate is None:
        return
    password = own.password.get_secret_value() if own.password else None
    files = Files(base, own.certificate, own.key, password, own.passwordFile)
    _, flaws = read_identity(files, needs_key=needs_key)
    for flaw in flaws:
        yield Problem((*path, flaw.part), flaw.message, flaw.remedy)
