"""Check the user's own certificate and key files: present, readable, of the right type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path as FilePath
from typing import Any

from lab.topology.model.topology import Authority, ClientCertificate, Topology
from lab.topology.reading.problems import Path, Problem

_MAXIMUM_BYTES = 100_000


class _FlawError(Exception):
    """A problem with a file, and its remedy; never the file's content."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def file_problems(topology: Topology, base: FilePath) -> Iterator[Problem]:
    """All problems with the files; their names are relative to `base`."""
    for name, authority in topology.pki.items():
        yield from _pair(authority, ("pki", name), base)
    for name, client in topology.clients.items():
        if client.certificate:
            yield from _pair(client.certificate, ("clients", name, "certificate"), base)


def _pair(own: Authority | ClientCertificate, path: Path, base: FilePath) -> Iterator[Problem]:
    public_keys = []
    for kind, name, parse in (
        ("certificate", own.certificate, _certificate),
        ("key", own.key, _private_key),
    ):
        if name is None:
            continue
        try:
            public_keys.append(_public_key(base / name, parse))
        except _FlawError as flaw:
            yield Problem((*path, kind), f"{name}: {flaw.message}", flaw.remedy)
    if len(public_keys) == 2 and public_keys[0] != public_keys[1]:
        yield Problem((*path, "key"), f"{own.key}: not the key of {own.certificate}",
                      "the two files must belong together")  # fmt: skip


def _public_key(file: FilePath, parse: Callable[[bytes], Any]) -> bytes:
    """The public key (SubjectPublicKeyInfo, DER) of a certificate or of a private key."""
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAXIMUM_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _FlawError(
            reason[0].lower() + reason[1:], "file names are relative to the topology file"
        ) from None
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 (60 ms, if needed)
        Encoding,
        PublicFormat,
    )

    key = parse(content)
    der: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return der


def _certificate(content: bytes) -> Any:
    """Its public key."""
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 (as above)

    try:
        return load_pem_x509_certificates(content)[0].public_key()
    except Exception:  # noqa: BLE001 - whatever a foreign parser does with foreign bytes
        raise _FlawError(
            "not a PEM certificate", "a file with -----BEGIN CERTIFICATE-----"
        ) from None


def _private_key(content: bytes) -> Any:
    """Its public key."""
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 (as above)
        load_pem_private_key,
    )

    try:
        return load_pem_private_key(content, None).public_key()
    except TypeError:
        raise _FlawError("the key has a password", "store it without one") from None
    except Exception:  # noqa: BLE001 - as above
        raise _FlawError(
            "not a PEM private key", "a file with -----BEGIN PRIVATE KEY-----"
        ) from None
