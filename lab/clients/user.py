"""What the user has besides the profile: a .p12 and its password, or a name and a password."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID
from OpenSSL import crypto

from lab.errors import LabError
from lab.nodes.base import Node

_PEM = re.compile(
    r"^-----BEGIN (?P<kind>CERTIFICATE|PRIVATE KEY)-----$.*?^-----END (?P=kind)-----$\n?",
    re.DOTALL | re.MULTILINE,
)
"""One item of `openssl pkcs12`'s output. What stands between them are names, and anybody's."""


@dataclass(frozen=True)
class UserCertificate:
    """The content of a .p12, in PEM."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    intermediates_pem: tuple[bytes, ...]

    @property
    def subject(self) -> bytes:
        """The subject in DER, byte by byte the certificate's."""
        shown = crypto.load_certificate(crypto.FILETYPE_PEM, self.certificate_pem)
        return shown.get_subject().der()

    @property
    def common_name(self) -> str:
        """The name by which its user is asked for: EAP's identity; empty where there is none."""
        certificate = x509.load_pem_x509_certificate(self.certificate_pem)
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if names else ""


@dataclass(frozen=True)
class UserPassword:
    """What a user types who has no certificate."""

    name: str
    password: str = field(repr=False)


async def open_p12(node: Node, data: bytes, password: str) -> UserCertificate:
    """Open a .p12 on the client computer with openssl, as Azure's instructions for Linux do.

    LabError quotes openssl if it is not one.
    """
    await node.write("/run/user.p12", data, 0o600)
    argv = ["openssl", "pkcs12", "-in", "/run/user.p12", "-nodes", "-passin", "stdin"]
    told = await node.run(argv, input=f"{password}\n")
    if told.code:
        raise LabError(f"{node.name}: the .p12 cannot be opened: {told.stderr.strip()}")
    return parse_bags(told.stdout)


def parse_bags(text: str) -> UserCertificate:
    """Sort out what openssl printed; LabError if there is no key with its certificate."""
    found: dict[str, list[bytes]] = {"CERTIFICATE": [], "PRIVATE KEY": []}
    for item in _PEM.finditer(text):
        found[item["kind"]].append(item[0].encode())
    for key in found["PRIVATE KEY"]:
        # The test of a 4096-bit key's primes would take 0.4 s.
        ours = load_pem_private_key(key, None, unsafe_skip_rsa_key_validation=True).public_key()
        for shown in found["CERTIFICATE"]:
            if x509.load_pem_x509_certificate(shown).public_key() == ours:
                others = (other for other in found["CERTIFICATE"] if other != shown)
                return UserCertificate(shown, key, tuple(others))
    raise LabError("the .p12 holds no private key with its certificate")
