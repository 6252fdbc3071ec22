"""Issue the certificates of a plan: roots, intermediates, clients and servers (RFC 5280)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.boot.enter import outside
from lab.errors import UsageError
from lab.pki import stock
from lab.topology.planning.plan import CertificatePlan
from lab.topology.reading.identities import Files, read_identity

Key = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)
PRINCIPAL = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
"""The user principal name (UPN) in Microsoft's certificates, a UTF8String."""


@dataclass(frozen=True)
class Credential:
    """A certificate with its private key and its chain.

    An authority from the user's own file may have no key if it does not have to issue anything.
    """

    name: str
    certificate: x509.Certificate
    private: Key | None
    issuers: tuple[x509.Certificate, ...] = ()
    """The chain from its issuer to the root; empty for a root. The root of a user's own certificate
    need not be there."""

    @property
    def key(self) -> Key:
        """The private key; UsageError if it is missing."""
        if self.private is None:
            raise UsageError(
                f"certificate {self.name} has no key", "name its private key with `key:`"
            )
        return self.private

    @property
    def common_name(self) -> str:
        """The subject's common name; the whole subject if it has none."""
        names = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if names else self.certificate.subject.rfc4514_string()

    @property
    def certificate_pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        """The certificate, then the intermediates: all that a peer with the root needs."""
        chain = (self.certificate, *self._intermediates)
        return b"".join(link.public_bytes(serialization.Encoding.PEM) for link in chain)

    @property
    def root_pem(self) -> bytes:
        """The root of its chain; for a root, the certificate itself."""
        root = self.issuers[-1] if self.issuers else self.certificate
        return root.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key, PKCS #8, unencrypted: only for files of mode 0600."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def public_cert_data(self) -> str:
        """Base64 of the DER on one line: ARM's `publicCertData`."""
        return base64.b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()

    @property
    def thumbprint(self) -> str:
        """SHA-1 of the DER in upper-case hexadecimal: Azure's name for a certificate."""
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 (Azure's)

    def p12(self, password: str, *, rounds: int = 1) -> bytes:
        """A PKCS #12 file for the user: certificate, key and intermediates.

        One round of key derivation is enough, because the file never leaves the lab.
        """
        encryption = (
            serialization.PrivateFormat.PKCS12.encryption_builder()
            .kdf_rounds(rounds)
            .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
            .hmac_hash(hashes.SHA256())
            .build(password.encode())
        )
        return pkcs12.serialize_key_and_certificates(
            self.name.encode(), self.key, self.certificate, self._intermediates, encryption
        )

    @property
    def _intermediates(self) -> tuple[x509.Certificate, ...]:
        return tuple(one for one in self.issuers if one.subject != one.issuer)


def issue(plans: Sequence[CertificatePlan]) -> dict[str, Credential]:
    """Issue certificates in order, issuers first; UsageError if a user's own file is wrong."""
    made: dict[str, Credential] = {}
    wanted = [plan for plan in plans if plan.certificate_file is None]
    keys = iter(stock.take(len(wanted)))
    for plan in plans:
        issuer = made.get(plan.issuer) if plan.issuer else None
        if plan.certificate_file is None:
            made[plan.name] = sign(plan, next(keys), issuer)
        else:
            made[plan.name] = _users_own(plan, issuer)
    return made


def sign(plan: CertificatePlan, key: Key, issuer: Credential | None) -> Credential:
    """Sign one certificate; without an issuer it is self-signed."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, plan.subject)])
    signer = issuer.key if issuer else key
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=plan.days_before))
        .not_valid_after(now + timedelta(days=plan.days_after))
    )
    for extension, critical in (*_purpose(plan), *_identifiers(key, signer)):
        builder = builder.add_extension(extension, critical)
    above = (issuer.certificate, *issuer.issuers) if issuer else ()
    return Credential(plan.name, builder.sign(signer, signature_hash(signer)), key, above)


def signature_hash(key: Key) -> hashes.SHA256 | None:
    """The hash to sign with; Ed25519 and Ed448 have their own."""
    prehashed = isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    return hashes.SHA256() if prehashed else None


def _purpose(plan: CertificatePlan) -> list[tuple[x509.ExtensionType, bool]]:
    """Basic constraints and key usages; for clients, those of OpenSSL's usr_cert (seed)."""
    if plan.kind in ("root", "intermediate"):
        return [
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (_usage(signing_certificates=True), True),
        ]
    purposes = [ExtendedKeyUsageOID.EMAIL_PROTECTION]
    if plan.kind == "server":
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH]
    elif plan.client_auth:
        purposes.insert(0, ExtendedKeyUsageOID.CLIENT_AUTH)
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in plan.dns_names]
    if plan.principal:
        names.append(x509.OtherName(PRINCIPAL, _utf8_string(plan.principal)))
    return [
        (x509.BasicConstraints(ca=False, path_length=None), False),
        (_usage(signing_certificates=False), True),
        (x509.ExtendedKeyUsage(purposes), False),
        *([(x509.SubjectAlternativeName(names), False)] if names else []),
    ]


def _utf8_string(text: str) -> bytes:
    """A UTF8String in DER."""
    data = text.encode()
    size = len(data).to_bytes((len(data).bit_length() + 7) // 8, "big")
    long = bytes((0x80 | len(size),)) if len(data) > 127 else b""
    return b"\x0c" + long + size + data


def _usage(*, signing_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signing_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signing_certificates,
        crl_sign=signing_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _identifiers(key: Key, signer: Key) -> list[tuple[x509.ExtensionType, bool]]:
    return [
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False),
    ]


def _users_own(plan: CertificatePlan, issuer: Credential | None) -> Credential:
    """The user's own certificate and key, with the chain in its files; the plan need not know its
    issuer."""
    assert plan.certificate_file is not None
    password = plan.password.get_secret_value() if plan.password else None
    files = Files(Path(), plan.certificate_file, plan.key_file, password, plan.password_file)
    own, flaws = read_identity(files, needs_key=plan.kind == "client")
    if own is None:
        raise UsageError("; ".join(flaw.message for flaw in flaws), flaws[0].remedy)
    known = (issuer.certificate, *issuer.issuers) if issuer else ()
    above = (*own.issuers, *(one for one in known if one not in own.issuers))
    return Credential(plan.name, own.certificate, own.key, above)


def load_certificate(name: str, path: Path) -> x509.Certificate:
    """Load a PEM or DER file; UsageError with Azure's message if it is neither."""
    data = _read(path)
    pem = b"-----BEGIN" in data
    try:
        return (x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate)(data)
    except ValueError as error:
        raise UsageError(
            f"Data for certificate {name} is invalid: {outside(path)}: {error}",
            "give a PEM or DER file with one X.509 certificate",
        ) from error


def load_key(name: str, path: Path) -> Key:
    """Load an unencrypted private key in PEM; UsageError if it is not one."""
    try:
        key = serialization.load_pem_private_key(_read(path), None)
    except TypeError as error:
        raise UsageError(
            f"the private key of {name} is encrypted: {outside(path)}",
            f"openssl pkey -in {outside(path)} -out plain.key",
        ) from error
    except ValueError as error:
        raise UsageError(
            f"the private key of {name} cannot be read: {outside(path)}: {error}", "give a PEM file"
        ) from error
    if not isinstance(key, Key):
        raise UsageError(
            f"the private key of {name} cannot sign certificates: {outside(path)}", "use an RSA key"
        )
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{outside(path)}: {error.strerror}", "check the path and its permissions"
        ) from error
