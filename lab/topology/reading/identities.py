"""Read the certificates and keys of the user's own, in the forms that people have them.

PEM (with text around it, several items in a file, keys with a password), DER, Base64 of DER,
PKCS #7 and PKCS #12. `validate` and the start of a lab read with the same function, so that what
one accepts the other can use. No message has a file's content or a password in it.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from gateway.common.certificate_forms import what_is
from radius.printable import printable

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    PrivateKey: TypeAlias = (
        rsa.RSAPrivateKey
        | ec.EllipticCurvePrivateKey
        | ed25519.Ed25519PrivateKey
        | ed448.Ed448PrivateKey
    )

# RFC 5280 counts the characters of a name, the cryptography package bytes: 64 umlauts are legal.
warnings.filterwarnings("ignore", "Attribute's length must be", UserWarning)

MAXIMUM_BYTES = 100_000
FORMS = "PEM, DER (.cer, .crt), PKCS #7 (.p7b) or PKCS #12 (.pfx, .p12)"
_BLOCK = re.compile(
    rb"-----BEGIN (?P<label>[^\r\n-]{1,64})-----(?P<body>.*?)-----END (?P=label)-----", re.DOTALL
)
_BEGIN = b"-----BEGIN "
_WITH_PASSWORD = b"Proc-Type: 4,ENCRYPTED"
_JAVA = b"\xfe\xed\xfe\xed"

Part = Literal["certificate", "key", "password", "passwordFile"]


@dataclass(frozen=True)
class Flaw:
    """What is wrong, at which key of the topology file, and the remedy."""

    part: Part
    message: str
    remedy: str


@dataclass(frozen=True)
class Files:
    """The files of one identity, as the topology file names them. `base`: its directory."""

    base: Path
    certificate: str
    key: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: str | None = None

    @property
    def parts(self) -> dict[str, Part]:
        """What each file is there for; one file may have both."""
        parts: dict[str, Part] = {self.certificate: "certificate"}
        return parts if self.key in (None, self.certificate) else parts | {str(self.key): "key"}


@dataclass(frozen=True)
class Identity:
    """A certificate with its key, if there is one, and those of its issuers that are in the files,
    the nearest first."""

    certificate: x509.Certificate
    key: PrivateKey | None = field(repr=False)
    issuers: tuple[x509.Certificate, ...] = ()

    def is_below(self, authority: Identity) -> bool:
        """Whether the authority's certificate is in its chain, or has signed one that is."""
        chain, above = (self.certificate, *self.issuers), authority.certificate
        return above in self.issuers or any(_issued(above, link) for link in chain)


def read_identity(files: Files, *, needs_key: bool) -> tuple[Identity | None, list[Flaw]]:
    """The identity in the files, or all that is wrong with them."""
    found, flaws = _Found(), []
    try:
        password = _password(files)
        for name, part in files.parts.items():
            try:
                found.add(_read(files, name, part, password))
            except _FlawError as error:
                flaws.append(error.flaw)
        if not flaws:
            _check_need(files, password, found)
            return _identity(found, files, needs_key=needs_key), []
    except _FlawError as error:
        flaws.append(error.flaw)
    return None, flaws


class _FlawError(Exception):
    def __init__(self, part: Part, message: str, remedy: str) -> None:
        super().__init__(message)
        self.flaw = Flaw(part, message, remedy)


@dataclass
class _Found:
    """What the files have in them, without repetitions. `locked`: a password was needed."""

    certificates: list[x509.Certificate] = field(default_factory=list)
    keys: list[PrivateKey] = field(default_factory=list, repr=False)
    locked: bool = False

    def add(self, other: _Found) -> None:
        """Add what another file has."""
        self.certificates = list(dict.fromkeys((*self.certificates, *other.certificates)))
        keys = {_public(key): key for key in (*other.keys, *self.keys)}
        self.keys = list(keys.values())
        self.locked |= other.locked


# ------------------------------------------------------------------------------ the files


def _content(base: Path, name: str, part: Part) -> bytes:
    try:
        with (base / name).open("rb") as stream:
            content = stream.read(MAXIMUM_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"{name}: {reason[0].lower()}{reason[1:]}"
        raise _FlawError(part, message, "file names are relative to the topology file") from None
    if len(content) > MAXIMUM_BYTES:
        message = f"{name}: larger than {MAXIMUM_BYTES // 1000} kB"
        raise _FlawError(part, message, "give a file with one certificate, its chain and its key")
    return _plain(content)


def _read(files: Files, name: str, part: Part, password: bytes | None) -> _Found:
    found = _Reader(name, part, password).read(_content(files.base, name, part))
    if part == "certificate" and not found.certificates:
        raise _FlawError(part, f"{name}: no certificate is in it", FORMS)
    if part == "key" and not found.keys:
        raise _FlawError(part, f"{name}: no private key is in it", FORMS)
    return found


def _check_need(files: Files, password: bytes | None, found: _Found) -> None:
    """A password that opens nothing would be ignored."""
    if password is not None and not found.locked:
        part: Part = "passwordFile" if files.password is None else "password"
        raise _FlawError(
            part, f"{' and '.join(files.parts)}: no password is needed", "leave it out"
        )


def _password(files: Files) -> bytes | None:
    if files.password_file is None:
        return None if files.password is None else files.password.encode()
    content = _content(files.base, files.password_file, "passwordFile")
    first = content.splitlines()[0] if content else b""
    if not first:
        message = f"{files.password_file}: its first line is empty"
        raise _FlawError("passwordFile", message, "write the password into the first line")
    return first


def _plain(content: bytes) -> bytes:
    """Without the byte order mark that editors of Windows write, and in UTF-8."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace").encode()
    return content.removeprefix(codecs.BOM_UTF8)


# ------------------------------------------------------------------------------ their forms


@dataclass(frozen=True)
class _Reader:
    """Reads one file."""

    name: str
    part: Part
    password: bytes | None = field(repr=False)

    def read(self, content: bytes) -> _Found:
        """The content in whatever form it is; _FlawError."""
        if _BEGIN in content:
            return self.pem(content)
        if content.startswith(_JAVA):
            line = f"keytool -importkeystore -srckeystore {self.name} -destkeystore {self.name}.p12"
            raise self.flaw("a Java key store", f"{line} -deststoretype pkcs12")
        return self.der(content if content[:1] == b"\x30" else _base64(content) or content)

    def pem(self, content: bytes) -> _Found:
        found, blocks = _Found(), list(_BLOCK.finditer(content))
        if len(blocks) != content.count(_BEGIN):
            raise self.flaw(
                "a block is not complete, from -----BEGIN to -----END", "copy all of it"
            )
        for block in blocks:
            label = block["label"].decode("ascii", "replace")
            read = _LABELS.get(label)
            if read is None:
                what, remedy = _REFUSED.get(label, (f"-----BEGIN {printable(label)}-----", ""))
                remedy = remedy or "keep only certificates and the private key in it"
                raise self.flaw(what, remedy.format(self.name))
            read(self, block[0] + b"\n", found)
        return found

    def der(self, content: bytes) -> _Found:
        """Told apart by the first element of the outer SEQUENCE (RFC 5280, 5652, 5958, 7292)."""
        first = _first_element(content)
        for begin, read in _ELEMENTS:
            if first.startswith(begin):
                found = _Found()
                read(self, content, found)
                return found
        if content[:2] == b"\x30\x80":  # BER: of indefinite length
            raise self.flaw("not in DER", f"openssl pkcs12 -in {self.name} -nodes -out new.pem")
        what = what_is(content).what
        raise self.flaw(f"neither a certificate nor a private key, but {what}", FORMS)

    # ---- one item each

    def certificate(self, data: bytes, found: _Found) -> None:
        from cryptography import x509  # noqa: PLC0415 (60 ms, if needed)

        pem = data.startswith(_BEGIN)
        load = x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate
        try:
            found.certificates.append(load(data))
        except Exception:  # noqa: BLE001 - whatever a foreign parser does with foreign bytes
            raise self.flaw(
                "its certificate cannot be read", f"see: openssl x509 -in {self.name} -text"
            ) from None

    def certificate_or_locked_key(self, data: bytes, found: _Found) -> None:
        try:
            self.certificate(data, found)
        except _FlawError as error:
            try:
                self.locked_key(data, found)
            except _FlawError as second:
                raise (second if self.part == "key" else error) from None

    def pkcs7(self, data: bytes, found: _Found) -> None:
        from cryptography.hazmat.primitives.serialization import pkcs7  # noqa: PLC0415 (as above)

        pem = data.startswith(_BEGIN)
        load = pkcs7.load_pem_pkcs7_certificates if pem else pkcs7.load_der_pkcs7_certificates
        data = data.replace(b" CMS-----", b" PKCS7-----") if pem else data
        try:
            found.certificates += load(data)
        except Exception:  # noqa: BLE001 - as above
            line = f"openssl pkcs7 -in {self.name} -print_certs -out new.pem"
            raise self.flaw("its PKCS #7 cannot be read", line) from None

    def pkcs12(self, data: bytes, found: _Found) -> None:
        from cryptography.hazmat.primitives.serialization import pkcs12  # noqa: PLC0415 (as above)

        for password in (None, b"", *([self.password] if self.password else ())):
            with suppress(Exception):  # as above
                key, certificate, others = pkcs12.load_key_and_certificates(data, password)
                break
        else:
            raise self.shut(f"openssl pkcs12 -in {self.name} -legacy -nodes -out new.pem")
        found.locked |= bool(password)
        found.certificates += [*([certificate] if certificate else ()), *others]
        if key:
            found.keys.append(self.known(key))

    def key(self, data: bytes, found: _Found) -> None:
        if _WITH_PASSWORD in data:
            self.locked_key(data, found)
        else:
            found.keys.append(self.loaded(data, None))

    def locked_key(self, data: bytes, found: _Found) -> None:
        line = f"openssl pkey -in {self.name} -out new.key"
        if self.password is None:
            raise self.shut(line)
        try:
            found.keys.append(self.loaded(data, self.password))
        except _FlawError:
            raise self.shut(line) from None
        found.locked = True

    def loaded(self, data: bytes, password: bytes | None) -> PrivateKey:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 (as above)

        pem = data.startswith(_BEGIN)
        load = serialization.load_pem_private_key if pem else serialization.load_der_private_key
        try:
            return self.known(load(data, password))
        except _FlawError:
            raise
        except Exception:  # noqa: BLE001 - as above
            raise self.flaw(
                "its private key cannot be read", f"see: openssl pkey -in {self.name} -check"
            ) from None

    def known(self, key: object) -> PrivateKey:
        from cryptography.hazmat.primitives.asymmetric import (  # noqa: PLC0415 (as above)
            ec,
            ed448,
            ed25519,
            rsa,
        )

        if isinstance(
            key,
            rsa.RSAPrivateKey
            | ec.EllipticCurvePrivateKey
            | ed25519.Ed25519PrivateKey
            | ed448.Ed448PrivateKey,
        ):
            return key
        raise self.flaw(
            "its private key is neither RSA nor of an elliptic curve that signs",
            "use an RSA key, as Azure's articles do",
        )

    def shut(self, line: str) -> _FlawError:
        if self.password is None:
            remedy = "add `password:`, or `passwordFile:` with the password in its first line"
            return self.flaw("it has a password", remedy)
        message = f"the password does not open {self.name}, or its cipher is not known here"
        return _FlawError(self.part, message, f"try it: {line}")

    def flaw(self, message: str, remedy: str) -> _FlawError:
        return _FlawError(self.part, f"{self.name}: {message}", remedy)


_Read: TypeAlias = Callable[[_Reader, bytes, _Found], None]


def _nothing(_reader: _Reader, _data: bytes, _found: _Found) -> None:
    """Parameters of a curve: the key has them, too."""


_LABELS: dict[str, _Read] = {
    "CERTIFICATE": _Reader.certificate,
    "X509 CERTIFICATE": _Reader.certificate,
    "PRIVATE KEY": _Reader.key,
    "RSA PRIVATE KEY": _Reader.key,
    "EC PRIVATE KEY": _Reader.key,
    "DSA PRIVATE KEY": _Reader.key,
    "ENCRYPTED PRIVATE KEY": _Reader.locked_key,
    "PKCS7": _Reader.pkcs7,
    "CMS": _Reader.pkcs7,
    "EC PARAMETERS": _nothing,
}
_REFUSED = {
    "TRUSTED CERTIFICATE": (
        "OpenSSL's own form of a certificate",
        "openssl x509 -in {} -out new.pem",
    ),
    "OPENSSH PRIVATE KEY": ("OpenSSH's form of a key", "ssh-keygen -p -m PKCS8 -f {}"),
    "CERTIFICATE REQUEST": ("a request, no certificate", "give the certificate that was issued"),
    "NEW CERTIFICATE REQUEST": (
        "a request, no certificate",
        "give the certificate that was issued",
    ),
}
"""PEM labels: what it is, and the remedy."""
_ELEMENTS: tuple[tuple[bytes, _Read], ...] = (
    (b"\x02\x01\x03", _Reader.pkcs12),
    (b"\x02", _Reader.key),
    (b"\x06", _Reader.pkcs7),
    (b"\x30", _Reader.certificate_or_locked_key),
)
"""How the content of the outer SEQUENCE begins: a version, an object identifier, a SEQUENCE."""


def _base64(content: bytes) -> bytes | None:
    """What Azure's articles paste: the Base64 of a certificate without its BEGIN line."""
    try:
        return base64.b64decode(b"".join(content.split()), validate=True)
    except binascii.Error:
        return None


def _first_element(der: bytes) -> bytes:
    if len(der) < 2 or der[0] != 0x30 or der[1] == 0x80:
        return b""
    return der[2:] if der[1] < 0x80 else der[2 + (der[1] & 0x7F) :]


# ------------------------------------------------------------------------------ what goes together


def _identity(found: _Found, files: Files, *, needs_key: bool) -> Identity:
    name = files.certificate
    if len(found.keys) > 1:
        message = f"{len(found.keys)} private keys, and an identity has one"
        raise _FlawError("key" if files.key else "certificate", message, "keep the right one")
    key = found.keys[0] if found.keys else None
    if key is None and files.key == name:
        raise _FlawError("key", f"{name}: no private key is in it", "export it with its key")
    if key is None and needs_key:
        message = f"{name}: a certificate without its key"
        raise _FlawError("certificate", message, "add `key: FILE`, or export it with its key")
    own = _owned(found.certificates, key)
    if not own and files.key in (None, name):
        message = f"{name}: its private key belongs to none of its certificates"
        raise _FlawError("certificate", message, "export certificate and key together")
    if not own:
        message = f"{files.key}: not the key of {name}"
        raise _FlawError("key", message, "the two files must belong together")
    if len(own) > 1:
        names = ", ".join(map(_told, own))
        message = f"{name}: {len(own)} certificates of one key: {names}"
        raise _FlawError("certificate", message, "keep the one to be shown")
    issuers = _issuers(own[0], found.certificates)
    _check_strays((own[0], *issuers), found.certificates, name)
    return Identity(own[0], key, issuers)


def _check_strays(
    chain: Sequence[x509.Certificate], certificates: Sequence[x509.Certificate], name: str
) -> None:
    """Certificates that do not go together would be ignored, or be shown to no end."""
    strays = [one for one in certificates if one not in chain]
    if not strays:
        return
    message = f"{name}: not in the chain of {_told(chain[0])}: {', '.join(map(_told, strays))}"
    if {one.subject for one in strays} & {one.issuer for one in chain}:
        message += ", by the signature: an issuer's name alone makes none"
    raise _FlawError("certificate", message, "keep one certificate, its issuers and its key")


def _owned(
    certificates: Sequence[x509.Certificate], key: PrivateKey | None
) -> list[x509.Certificate]:
    """The certificates of the key; without one, the certificate that has issued none of the others
    (the first, if all have)."""
    if key is not None:
        wanted = _public(key)
        return [one for one in certificates if _public_of(one) == wanted]
    lowest = [
        one
        for one in certificates
        if not any(_issued(one, other) for other in certificates if other != one)
    ]
    return (lowest or list(certificates))[:1]


def _issuers(
    certificate: x509.Certificate, others: Sequence[x509.Certificate]
) -> tuple[x509.Certificate, ...]:
    """All certificates above it, the nearest first: a cross-signed issuer has several."""
    chain = [certificate]
    for link in chain:
        chain += [one for one in others if one not in chain and _issued(one, link)]
    return tuple(chain[1:])


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether the issuer's key has signed the certificate. Not, if that cannot be checked: a name
    is anybody's, and of an authority's certificates the lowest may become a gateway's root."""
    if issuer.subject != certificate.issuer:
        return False
    for check in (_signed, _signed_of_old):
        with suppress(Exception):  # InvalidSignature, or what this parser or key cannot do
            check(issuer, certificate)
            return True
    return False


def _signed(issuer: x509.Certificate, certificate: x509.Certificate) -> None:
    certificate.verify_directly_issued_by(issuer)


def _signed_of_old(issuer: x509.Certificate, certificate: x509.Certificate) -> None:
    """SHA-1 and MD5, which `_signed` does not check. Gateways refuse them, and tell why."""
    from cryptography.hazmat.primitives.asymmetric import (  # noqa: PLC0415 (60 ms, if needed)
        ec,
        padding,
        rsa,
    )

    key, hashed = issuer.public_key(), certificate.signature_hash_algorithm
    signed = certificate.signature, certificate.tbs_certificate_bytes
    if hashed is None:
        raise ValueError("its algorithm has no hash of its own")
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(*signed, padding.PKCS1v15(), hashed)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(*signed, ec.ECDSA(hashed))
    else:
        raise TypeError("a key that does not sign with a hash")


def _public(key: PrivateKey) -> bytes:
    return _subject_public_key(key.public_key())


def _public_of(certificate: x509.Certificate) -> bytes:
    try:
        return _subject_public_key(certificate.public_key())
    except Exception:  # noqa: BLE001 - a key of a kind that nobody here has
        return b""


def _subject_public_key(key: object) -> bytes:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 (as above)
        Encoding,
        PublicFormat,
    )

    der: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return der


def _told(certificate: x509.Certificate) -> str:
    return printable(certificate.subject.rfc4514_string() or "(a certificate without a subject)")
