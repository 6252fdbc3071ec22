"""The user's own certificate and key files: there, readable, and what they claim to be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath

from lab.topology.model import Authority, ClientCertificate, Topology
from lab.topology.problems import Path, Problem

_MAXIMUM_BYTES = 100_000


def file_problems(topology: Topology, base: FilePath) -> Iterator[Problem]:
    """Everything that is wrong with the files; they are relative to `base`."""
    for name, authority in topology.pki.items():
        yield from _certificate_files(authority, ("pki", name), base)
    for name, client in topology.clients.items():
        if client.certificate:
            yield from _certificate_files(
                client.certificate, ("clients", name, "certificate"), base
            )


def _certificate_files(
    certificate: Authority | ClientCertificate, path: Path, base: FilePath
) -> Iterator[Problem]:
    for key, name in (("certificate", certificate.certificate), ("key", certificate.key)):
        flaw = _flaw(base / name, key) if name is not None else None
        if flaw:
            yield Problem((*path, key), f"{name}: {flaw[0]}", flaw[1])


def _flaw(file: FilePath, kind: str) -> tuple[str, str] | None:
    """What is wrong with a file and what would be right; never its content."""
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAXIMUM_BYTES)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        return f"{said[0].lower()}{said[1:]}", "file names are relative to the topology file"
    from cryptography import x509  # noqa: PLC0415 (60 ms, only when there are such files)
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        load_pem_private_key,
    )

    try:
        if kind == "certificate":
            x509.load_pem_x509_certificates(content)
        else:
            load_pem_private_key(content, None)
    except TypeError:
        return (
            "the private key has a password",
            "store it without one (openssl pkey -in ... -out ...)",
        )
    except ValueError:
        what = "a PEM certificate" if kind == "certificate" else "a PEM private key"
        return f"not {what}", "a file with -----BEGIN ...----- (openssl x509 or pkey makes one)"
    return None
