"""What the user has besides the profile: a .p12 and its password, or a name and a password."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.x509.oid import NameOID

from lab.errors import LabError
from lab.nodes.base import Node

_BAG = re.compile(
    r"Bag Attributes(?P<attributes>.*?)"
    r"(?P<pem>-----BEGIN (?P<kind>CERTIFICATE|PRIVATE KEY)-----.*?-----END (?P=kind)-----\n)",
    re.DOTALL,
)
"""One item of `openssl pkcs12`'s output; the user's own certificate and key have a localKeyID."""


@dataclass(frozen=True)
class UserCertificate:
    """The content of a .p12, in PEM."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    intermediates_pem: tuple[bytes, ...]

    @property
    def subject(self) -> str:
        """The subject as charon takes it without parsing names: DER in hexadecimal."""
        name = x509.load_pem_x509_certificate(self.certificate_pem).subject
        return f"asn1dn:#{name.public_bytes().hex()}"

    @property
    def common_name(self) -> str:
        """The name by which its user is asked for: EAP's identity."""
        certificate = x509.load_pem_x509_certificate(self.certificate_pem)
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if names else self.subject


@dataclass(frozen=True)
class UserPassword:
    """What a user types who has no certificate."""

    name: str
    password: str = field(repr=False)


async def open_p12(node: Node, data: bytes, password: str) -> UserCertificate:
    """Open a .p12 on the client computer with openssl, as Azure's instructions for Linux do.

    (The cryptography package would test the 4096-bit key's primes each time: 0.4 s.)
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
    own: dict[str, bytes] = {}
    others = []
    for bag in _BAG.finditer(text):
        if "localKeyID" in bag["attributes"]:
            own[bag["kind"]] = bag["pem"].encode()
        elif bag["kind"] == "CERTIFICATE":
            others.append(bag["pem"].encode())
    if set(own) != {"CERTIFICATE", "PRIVATE KEY"}:
        raise LabError("the .p12 holds no private key with its certificate")
    return UserCertificate(own["CERTIFICATE"], own["PRIVATE KEY"], tuple(others))
