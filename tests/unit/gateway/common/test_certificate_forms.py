"""What people give in place of a certificate, and the commands that turn it into one."""

from __future__ import annotations

import base64
import subprocess
import textwrap
from collections.abc import Callable
from functools import cache
from typing import NamedTuple
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)

from gateway.common.certificate_forms import MOST, WANTED_DATA, WANTED_FILE, der_of, what_is
from tests.unit.gateway.conftest import NOW, Pki


class Material(NamedTuple):
    """A certificate, its key and what is made of them."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    der: bytes
    data: str
    pem: bytes


@cache
def material() -> Material:
    pki = Pki(now=NOW)
    root = pki.issue("root", authority=True)
    der = root.public_bytes(Encoding.DER)
    data = base64.b64encode(der).decode()
    return Material(root, pki.keys["root"], der, data, root.public_bytes(Encoding.PEM))


def lines(data: str, end: str = "\n", width: int = 64) -> str:
    return end.join(textwrap.wrap(data, width)) + end


def b64(content: bytes) -> bytes:
    return base64.b64encode(content)


def pfx(root: Material) -> bytes:
    other = [root.certificate]
    return pkcs12.serialize_key_and_certificates(b"x", None, None, other, NoEncryption())


def keys(form: PrivateFormat, encoding: Encoding) -> list[bytes]:
    made = (material().key, rsa.generate_private_key(65537, 1024))
    return [key.private_bytes(encoding, form, NoEncryption()) for key in made]


MARKED = "text (with the invisible U+FEFF BYTE ORDER MARK at character 1)"
PEM = "PEM text of a certificate, with BEGIN and END lines"
TURNED: dict[str, tuple[Callable[[Material], bytes], str]] = {
    "PEM": (lambda m: m.pem, PEM),
    "PEM with text before it": (lambda m: b"Bag Attributes\n  x: 1\n" + m.pem, PEM),
    "DER": (lambda m: m.der, "a certificate in DER"),
    "line breaks": (lambda m: lines(m.data).encode(),
                    "Base64 (with line breaks) of a certificate in DER"),
    "CR LF": (lambda m: lines(m.data, "\r\n").encode(),
              "Base64 (with line breaks) of a certificate in DER"),
    "a last line break": (lambda m: m.data.encode() + b"\n",
                          "Base64 (with line breaks) of a certificate in DER"),
    "tabs": (lambda m: lines(m.data, "\t").encode(), "Base64 (with tabs) of a certificate in DER"),
    "Base64 of PEM": (lambda m: b64(m.pem), f"Base64 of {PEM}"),
    "Base64 of Base64": (lambda m: b64(m.data.encode()),
                         "Base64 of Base64 of a certificate in DER"),
    "Base64 of lines of Base64": (lambda m: b64(lines(m.data).encode()),
                                  "Base64 of Base64 (with line breaks) of a certificate in DER"),
    "Base64 three times": (lambda m: b64(b64(m.pem)), f"Base64 of Base64 of {PEM}"),
    "UTF-16 of PEM": (lambda m: m.pem.decode().encode("utf-16"), f"UTF-16 text of {PEM}"),
    "UTF-16 big-endian": (lambda m: m.pem.decode().encode("utf-16-be"), f"UTF-16 text of {PEM}"),
    "Base64 of UTF-16 of PEM": (lambda m: b64(m.pem.decode().encode("utf-16")),
                                f"Base64 of UTF-16 text of {PEM}"),
    "UTF-16 of Base64": (lambda m: m.data.encode("utf-16-le"),
                         "UTF-16 text of Base64 of a certificate in DER"),
    "byte order mark": (lambda m: "\ufeff".encode() + m.data.encode(),
                        f"{MARKED} of Base64 of a certificate in DER"),
    "byte order mark before PEM": (lambda m: "\ufeff".encode() + m.pem,
                                   f"{MARKED} of {PEM}"),
    "zero-width space": (lambda m: (m.data[:7] + "\u200b" + m.data[7:]).encode(),
                         "the invisible U+200B ZERO WIDTH SPACE at character 8"),
    "no-break space": (lambda m: (m.data + "\u00a0").encode(),
                       "the invisible U+00A0 NO-BREAK SPACE at character"),
    "left-to-right mark": (lambda m: ("\u200e" + m.data).encode(),
                           "the invisible U+200E LEFT-TO-RIGHT MARK at character 1"),
    "URL-safe": (lambda m: base64.urlsafe_b64encode(m.der),
                 "Base64 (in the URL-safe alphabet) of a certificate in DER"),
    "PKCS #7": (lambda m: pkcs7.serialize_certificates([m.certificate], Encoding.DER),
                "PKCS #7 (certificates in a bundle)"),
    "Base64 of PKCS #7": (lambda m: b64(
                              pkcs7.serialize_certificates([m.certificate], Encoding.DER)),
                          "Base64 of PKCS #7 (certificates in a bundle)"),
    "PKCS #7 in PEM": (lambda m: pkcs7.serialize_certificates([m.certificate], Encoding.PEM),
                       "PEM text of PKCS #7 (certificates in a bundle)"),
    "hexadecimal": (lambda m: m.der.hex().encode(), "hexadecimal digits of a certificate in DER"),
    "hexadecimal with colons": (lambda m: m.der.hex(":").upper().encode(),
                                "hexadecimal digits of a certificate in DER"),
    "hexadecimal with 0x": (lambda m: b"0x" + m.der.hex().encode(),
                            "hexadecimal digits of a certificate in DER"),
    "an array of bytes": (lambda m: array(m.der),
                          "bytes as decimal numbers of a certificate in DER"),
    "in quotes": (lambda m: f'"{m.data}"'.encode(), "text in quotes of Base64"),
    "escaped line breaks": (lambda m: m.pem.replace(b"\n", rb"\n"),
                            f"text (with line breaks written as \\n) of {PEM}"),
    "percent-encoded": (lambda m: quote(m.data, safe="").encode(),
                        "percent-encoded text of Base64"),
    "data: URL": (lambda m: b"data:application/x-x509-ca-cert;base64," + m.data.encode(),
                  "a data: URL of Base64 of a certificate in DER"),
    "bytes as characters": (lambda m: m.der.decode("latin-1").encode(),
                            "binary data read as text of a certificate in DER"),
    "Base64 with ever more spaces": (lambda m: lines(m.data, "  \n ").encode(), "Base64"),
    "a trusted certificate": (lambda m: m.pem.replace(b"BEGIN CERT", b"BEGIN TRUSTED CERT")
                              .replace(b"END CERT", b"END TRUSTED CERT"),
                              "OpenSSL's PEM text of a trusted certificate"),
}  # fmt: skip
"""With a certificate inside: how it is made, and what is said."""


@pytest.mark.parametrize("form", TURNED)
def test_it_is_said_what_it_is_and_the_command_makes_the_certificate_of_it(form: str) -> None:
    make, said = TURNED[form]
    content = make(material())
    found = what_is(content)
    assert said in found.what
    assert "-----" not in found.remedy(WANTED_DATA)
    assert piped(found.remedy(WANTED_DATA, "/dev/stdin"), content) == material().data.encode()


def test_a_pem_file_is_made_too() -> None:
    remedy = what_is(b64(material().der)).remedy(WANTED_FILE, "/dev/stdin")
    assert piped(remedy, b64(material().der)) == material().pem


def array(content: bytes) -> bytes:
    """As PowerShell writes an array of bytes."""
    return " ".join(map(str, content)).encode()


def piped(command: str, content: bytes) -> bytes:
    done = subprocess.run(["sh", "-c", command], input=content, capture_output=True, check=False)
    return done.stdout


def request() -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "alice")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(material().key, hashes.SHA256()).public_bytes(Encoding.DER)


def crl() -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(material().certificate.subject)
        .last_update(NOW)
        .next_update(NOW)
    )
    return builder.sign(material().key, hashes.SHA256()).public_bytes(Encoding.DER)


def public(encoding: Encoding, form: PublicFormat) -> bytes:
    return material().key.public_key().public_bytes(encoding, form)


OTHER: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "empty"),
    "spaces": (lambda: b"  \n", "empty"),
    "two in PEM": (lambda: material().pem * 2, "2 certificates"),
    "two in DER": (lambda: material().der * 2, "several certificates in DER"),
    "more behind it": (lambda: material().der + b"\1\2", "with 2 more bytes behind it"),
    "cut off": (lambda: b64(material().der[:-9]), "Base64 of DER that is cut off"),
    "PEM cut off": (lambda: material().pem[:200], "it has no END line"),
    "only the END line": (lambda: b"AAAA\n-----END CERTIFICATE-----\n", "without a whole BEGIN"),
    "Base64 cut off": (lambda: material().data.encode()[:301], "Base64 that is cut off"),
    "request": (request, "a certificate request"),
    "Base64 of a request": (lambda: b64(request()), "Base64 of a certificate request"),
    "revocation list": (crl, "a revocation list"),
    "public key": (lambda: public(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), "a public key"),
    "public key in PEM": (lambda: public(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
                          "PEM text of a public key"),
    "public key of OpenSSH": (lambda: public(Encoding.OpenSSH, PublicFormat.OpenSSH),
                              "a public key of OpenSSH"),
    "thumbprint": (lambda: b"A" * 40, "a thumbprint (SHA-1)"),
    "thumbprint with colons": (lambda: b":".join([b"0f"] * 20), "a thumbprint (SHA-1)"),
    "SHA-256": (lambda: b"0f" * 32, "a thumbprint (SHA-256)"),
    "HTML": (lambda: b"<!DOCTYPE html><html>404</html>", "HTML"),
    "Base64 of HTML": (lambda: b64(b"<html><body>Please log in to continue</body></html>"),
                       "Base64 of HTML"),
    "JSON": (lambda: b'{"publicCertData": "AAAA"}', "JSON"),
    "file name": (lambda: b"P2SRootCert.cer", "the name of a file"),
    "path": (lambda: rb"C:\certs\new root", "the name of a file"),
    "other path": (lambda: b"@/home/eva/root.cer", "the name of a file"),
    "address": (lambda: b"https://example.test/root.cer", "an address (URL)"),
    "variable": (lambda: b"$rootCertificate", "a variable"),
    "parameter": (lambda: b"[parameters('clientRootCertData')]", "a variable"),
    "place holder": (lambda: b"<your certificate data>", "a variable"),
    ".NET": (lambda: b"System.Byte[]", "the name of a .NET type"),
    "description": (lambda: b"Certificate:\n    Data:\n        Version: 3", "openssl x509 -text"),
    "odd letter": (lambda: b"MIIC" + "\u0410".encode() * 3,
                   "'\u0410' U+0410 CYRILLIC CAPITAL LETTER A at character 5"),
    "bad letter": (lambda: b"MIIC?AAA", "'?' U+003F QUESTION MARK at character 5"),
    "a word": (lambda: b"hello", "Base64 that is cut off"),
    "another word": (lambda: b"certificate1", "Base64 of something unknown"),
    "noise": (lambda: bytes(range(128, 256)), "binary data of an unknown kind"),
    "a ZIP": (lambda: b"PK\3\4....", "a ZIP archive"),
    "damaged DER": (lambda: material().der[:4] + bytes(len(material().der) - 4),
                    "DER of something unknown"),
    "damaged certificate": (lambda: material().der.replace(b"\x30\x1e", b"\x31\x1e", 1),
                            "a certificate that cannot be read"),
    "too much": (lambda: b"A" * (MOST + 1), f"{MOST + 1} bytes long"),
}  # fmt: skip


@pytest.mark.parametrize("form", OTHER)
def test_what_has_no_certificate_for_us_is_named(form: str) -> None:
    make, said = OTHER[form]
    found = what_is(make())
    assert said in found.what
    assert found.remedy(WANTED_DATA)


SECRETS: dict[str, Callable[[], list[bytes]]] = {
    "PKCS #8": lambda: keys(PrivateFormat.PKCS8, Encoding.PEM),
    "PKCS #8 in DER": lambda: keys(PrivateFormat.PKCS8, Encoding.DER),
    "traditional": lambda: keys(PrivateFormat.TraditionalOpenSSL, Encoding.PEM),
    "traditional in DER": lambda: keys(PrivateFormat.TraditionalOpenSSL, Encoding.DER),
    "OpenSSH": lambda: keys(PrivateFormat.OpenSSH, Encoding.PEM),
    "Base64 of PEM": lambda: [b64(one) for one in keys(PrivateFormat.PKCS8, Encoding.PEM)],
    "Base64 of DER": lambda: [b64(one) for one in keys(PrivateFormat.PKCS8, Encoding.DER)],
    "Ed25519": lambda: [ed25519.Ed25519PrivateKey.generate().private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, NoEncryption())],
    "encrypted": lambda: [material().key.private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))],
}  # fmt: skip


@pytest.mark.parametrize("form", SECRETS)
def test_a_private_key_is_recognised_and_never_repeated(form: str) -> None:
    for secret in SECRETS[form]():
        found = what_is(secret)
        assert "private key" in found.what
        assert "keep it secret" in found.advice
        said = found.what + found.remedy(WANTED_DATA)
        assert not any(word in said for word in secret.decode("latin-1").split() if len(word) > 20)


def test_a_certificate_with_its_private_key_is_recognised() -> None:
    secret = keys(PrivateFormat.PKCS8, Encoding.PEM)[0]
    assert "and of a private key" in what_is(material().pem + secret).what


def test_pkcs12_is_recognised() -> None:
    for content in (pfx(material()), b64(pfx(material()))):
        found = what_is(content)
        assert "PKCS #12" in found.what
        assert "openssl pkcs12" in found.remedy(WANTED_DATA)


@pytest.mark.parametrize(
    "form",
    [
        lambda data: data,
        lambda data: data.rstrip("="),
        lambda data: lines(data, " ").strip(),
        lambda data: lines(data, " "),
        lambda data: f" {data}",
    ],
    ids=["one line", "no padding", "spaces between lines", "a last space", "a first space"],
)
@pytest.mark.parametrize("size", [300, 301, 302])
def test_data_that_is_taken(form: Callable[[str], str], size: int) -> None:
    content = bytes(size)
    assert der_of(form(base64.b64encode(content).decode())) == content


@pytest.mark.parametrize(
    "data", ["", "A", "AAAAA", "AA=A", "AAAA\n", "AA\tAA", "A-A_", "\u200bAAAA"]
)
def test_data_that_is_not_taken(data: str) -> None:
    assert der_of(data) is None


def test_many_layers_and_much_content_cost_little() -> None:
    content = b"x"
    for _ in range(30):
        content = b64(content)[:MOST]
    assert what_is(content).what.count("Base64") <= 7
    assert what_is(material().der * 300).what
    assert what_is((b"0\x81\x80" + bytes(128)) * 1000).what
