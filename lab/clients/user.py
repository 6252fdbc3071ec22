"""The user's credentials besides the profile: a .p12 and its password, name and password, or
none."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from lab.errors import LabError
from lab.nodes.base import Node

_PEM = re.compile(
    r"^-----BEGIN (?P<kind>CERTIFICATE|PRIVATE KEY)-----$.*?^-----END (?P=kind)-----$\n?",
    re.DOTALL | re.MULTILINE,
)
"""One item of `openssl pkcs12`'s output. The lines between items are names, which anyone may
choose."""


@dataclass(frozen=True)
class UserCertificate:
    """The content of a .p12, in PEM."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    intermediates_pem: tuple[bytes, ...]

    @property
    def common_name(self) -> str:
        """The common name, which is EAP's identity; empty if there is none."""
        certificate = x509.load_pem_x509_certificate(self.certificate_pem)
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if names else ""

    @property
    def is_outdated(self) -> bool:
        """Whether OpenSSL would not show it by itself (see `outdated`); not of what it alone can
        read."""
        with suppress(ValueError, x509.InvalidVersion):
            return outdated(map(x509.load_pem_x509_certificate, self._pems))
        return False

    @property
    def chain_pem(self) -> bytes:
        """All that is sent: the certificate, then the intermediates."""
        return b"".join(self._pems)

    @property
    def _pems(self) -> tuple[bytes, ...]:
        return self.certificate_pem, *self.intermediates_pem


SMALLEST_RSA = 2048
"""Bits; OpenSSL's security level 2 (SSL_CTX_set_security_level(3))."""


def outdated(certificates: Iterable[x509.Certificate]) -> bool:
    """Whether OpenSSL's default security level forbids a client to show these: signed with MD5 or
    SHA-1, or with a short RSA key. Windows shows them, so that the gateway decides; an OpenSSL of
    the lab's has level 0 then."""
    return any(map(_is_outdated, certificates))


def _is_outdated(certificate: x509.Certificate) -> bool:
    with suppress(UnsupportedAlgorithm):
        if isinstance(certificate.signature_hash_algorithm, hashes.MD5 | hashes.SHA1):
            return True
    key = certificate.public_key()
    return isinstance(key, rsa.RSAPublicKey) and key.key_size < SMALLEST_RSA


@dataclass(frozen=True)
class UserPassword:
    """The user name and password of a user without a certificate."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class NoCredentials:
    """A user who has neither: the computer dials all the same, and the gateway refuses."""

    name: str


User = UserCertificate | UserPassword | NoCredentials


async def open_p12(node: Node, data: bytes, password: str) -> UserCertificate:
    """Open a .p12 on the client computer with openssl, as Azure's instructions for Linux do.

    LabError with openssl's message if it cannot be opened.
    """
    await node.write("/run/user.p12", data, 0o600)
    argv = ["openssl", "pkcs12", "-in", "/run/user.p12", "-nodes", "-passin", "stdin"]
    done = await node.run(argv, input=f"{password}\n")
    if done.code:
        raise LabError(f"{node.name}: the .p12 cannot be opened: {done.stderr.strip()}")
    return parse_bags(done.stdout)


def parse_bags(text: str) -> UserCertificate:
    """Parse openssl's output; LabError if there is no key with its certificate."""
    found: dict[str, list[bytes]] = {"CERTIFICATE": [], "PRIVATE KEY": []}
    for item in _PEM.finditer(text):
        found[item["kind"]].append(item[0].encode())
    for key in found["PRIVATE KEY"]:
        # Validating a 4096-bit key's primes would take 0.4 s.
        ours = load_pem_private_key(key, None, unsafe_skip_rsa_key_validation=True).public_key()
        for certificate in found["CERTIFICATE"]:
            if x509.load_pem_x509_certificate(certificate).public_key() == ours:
                others = (other for other in found["CERTIFICATE"] if other != certificate)
                return UserCertificate(certificate, key, tuple(others))
    raise LabError("the .p12 has no private key with its certificate")
