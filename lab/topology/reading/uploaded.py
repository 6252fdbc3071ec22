"""Check the user's own certificate files that gateways get as roots."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path as FilePath

from gateway.arm.rules.certificates import certificate_flaw, root_flaw
from lab.topology.model.steps import Create, Update
from lab.topology.model.topology import Topology
from lab.topology.reading.identities import Files, read_identity
from lab.topology.reading.problems import Problem


def uploaded_root_problems(topology: Topology, base: FilePath) -> Iterator[Problem]:
    """What a gateway would have against a file of `pki` that a document names as a root.

    Files that cannot be read are reported by file_problems.
    """
    for name in _uploaded(topology):
        own = topology.pki[name]
        file = str(own.certificate)
        password = own.password.get_secret_value() if own.password else None
        files = Files(base, file, own.key, password, own.passwordFile)
        identity, _ = read_identity(files, needs_key=False)
        if identity is None:
            continue
        root = identity.certificate
        from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 (60 ms)

        data = b64encode(root.public_bytes(Encoding.DER)).decode()
        if flaw := certificate_flaw(data) or root_flaw(root):
            message = f"{file}: no root for a gateway: {flaw.what}"
            yield Problem(("pki", name, "certificate"), message, flaw.remedy)


def _uploaded(topology: Topology) -> Iterator[str]:
    """Authorities of the user's own that are uploaded, at first or by a change."""
    documents = [gateway.properties.model_dump_json() for gateway in topology.gateways.values()]
    changes = (step for step in topology.expect if isinstance(step, Update | Create))
    documents += [str(step.properties) for step in changes]
    for name, authority in topology.pki.items():
        named = f"${{{name}.publicCertData}}"
        if authority.certificate and any(named in document for document in documents):
            yield name
