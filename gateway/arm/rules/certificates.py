"""Rules about root and revoked certificates."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.arm.rules.case import CLIENT, LAB, Path, Violation
from gateway.common.certificate_forms import (
    WANTED_DATA,
    der_of,
    invisible_character,
    what_is,
)
from radius.printable import printable

MAXIMUM_ROOTS = 20
_SHOWN = 80
"""Characters of a wrong thumbprint that are shown."""
ROOTS: Path = (*CLIENT, "vpnClientRootCertificates")
REVOKED: Path = (*CLIENT, "vpnClientRevokedCertificates")
_TROUBLESHOOT = "azure-docs vpn-gateway-troubleshoot-vpn-point-to-site-connection-problems"

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.x509 import Certificate

    from gateway.arm.resource import NamedSubResource
    from gateway.arm.rules.case import Case


def certificate_needs_a_root(case: Case) -> Iterator[Violation]:
    """Without a root nobody could connect. Azure's default authentication is `Certificate`."""
    kinds = case.client.vpnAuthenticationTypes or ("Certificate",)
    if "Certificate" in kinds and not case.client.vpnClientRootCertificates:
        yield Violation(
            ROOTS,
            "certificate authentication needs a root certificate",
            "add the root of the client certificates to vpnClientRootCertificates",
            "seed: The root certificate is required for the validation and must be uploaded "
            "to Azure.",
        )


def at_most_20_roots(case: Case) -> Iterator[Violation]:
    """Azure limits the number of roots."""
    count = len(case.client.vpnClientRootCertificates)
    if count > MAXIMUM_ROOTS:
        yield Violation(
            ROOTS,
            f"{count} root certificates, {MAXIMUM_ROOTS} are allowed",
            "use an enterprise root with intermediates instead of many roots",
            "seed: You can still upload 20 root certificates.",
        )


def certificate_names(case: Case) -> Iterator[Violation]:
    """Names of roots and revoked certificates are valid and unique."""
    lists: tuple[tuple[Path, tuple[NamedSubResource, ...]], ...] = (
        (ROOTS, case.client.vpnClientRootCertificates),
        (REVOKED, case.client.vpnClientRevokedCertificates),
    )
    for path, entries in lists:
        count = Counter(entry.name.lower() for entry in entries)
        for index, entry in enumerate(entries):
            if not entry.name or re.search(r"\s", entry.name):
                yield Violation(
                    (*path, index, "name"),
                    f"Resource name {entry.name} is invalid",
                    "a name without spaces",
                    _TROUBLESHOOT,
                )
            elif count[entry.name.lower()] > 1:
                yield Violation(
                    (*path, index, "name"),
                    f"the name {entry.name} is used twice",
                    "names are unique without regard to case",
                    "azure-docs resource naming: sub-resources of one parent",
                )


def root_data(case: Case) -> Iterator[Violation]:
    """A root is the Base64 of an X.509 certificate's DER, on one line."""
    for path, name, data in _roots(case):
        if flaw := certificate_flaw(data):
            yield Violation(
                path,
                f"Data for certificate {name} is invalid: {flaw.what}",
                flaw.remedy,
                f"{_TROUBLESHOOT}; seed: be sure to convert the root certificate to Base64.",
            )


def roots_issue_clients(case: Case) -> Iterator[Violation]:
    """A root is self-signed, and OpenSSL takes it for an authority of client certificates."""
    for path, name, data in _roots(case):
        if not certificate_flaw(data) and (flaw := root_flaw(_load(data))):
            yield Violation(
                path,
                f"certificate {name} is no root: {flaw.what}",
                flaw.remedy,
                "RFC 5280 6.1.1 d; seed: Client certificates are generated from a trusted root "
                "certificate",
            )


def _load(data: str) -> Certificate:
    from cryptography.x509 import load_der_x509_certificate  # noqa: PLC0415 - 60 ms, seldom used

    return load_der_x509_certificate(der_of(data) or b"")


def _roots(case: Case) -> Iterator[tuple[Path, str, str]]:
    """Path, name and data of each root that is not a placeholder."""
    for index, root in enumerate(case.client.vpnClientRootCertificates):
        data = root.properties.publicCertData
        if not (case.placeholders and _placeholder(data, "publicCertData")):
            yield (*ROOTS, index, "properties", "publicCertData"), root.name, data


def thumbprints(case: Case) -> Iterator[Violation]:
    """A thumbprint is the SHA-1 of the DER, in hexadecimal."""
    for index, revoked in enumerate(case.client.vpnClientRevokedCertificates):
        text = revoked.properties.thumbprint
        if case.placeholders and _placeholder(text, "thumbprint"):
            continue
        if not re.fullmatch(r"[0-9A-Fa-f]{40}", text):
            unseen = invisible_character(text)
            yield Violation(
                (*REVOKED, index, "properties", "thumbprint"),
                f"{printable(text, _SHOWN)!r} is not a thumbprint"
                + (f": it has the invisible {unseen}" if unseen else ""),
                "40 hexadecimal digits without spaces or colons: SHA-1 of the certificate",
                "azure-docs vpn-gateway-howto-point-to-site-rm-ps: revoke a client certificate",
            )


def _placeholder(text: str, attribute: str) -> bool:
    return re.fullmatch(rf"\$\{{[^\s${{}}]+\.{attribute}\}}", text) is not None


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a certificate, and what to do."""

    what: str
    remedy: str


def certificate_flaw(data: str) -> Flaw | None:
    """What keeps a publicCertData from being a certificate; None if it is one."""
    from gateway.common.public_keys import (  # noqa: PLC0415 - 60 ms, seldom used
        LARGEST,
        ROOTS_RSA_BITS,
        key_flaw,
    )

    der = der_of(data) or b""
    try:
        root = _load(data)
    except Exception:  # noqa: BLE001 - a foreign parser on untrusted bytes may raise anything
        form = what_is(data.encode(errors="replace"))
        return Flaw(f"it is {form.what}", form.remedy(WANTED_DATA))
    if len(der) > LARGEST:
        return Flaw(f"a certificate of {len(der)} bytes, not {LARGEST} at most", LAB)
    try:
        root.subject.rfc4514_string()
        root.issuer.rfc4514_string()
        list(root.extensions)
        flaw = key_flaw(root, ROOTS_RSA_BITS)
    except Exception as error:  # noqa: BLE001 - a foreign parser on untrusted bytes
        return Flaw(f"it cannot be read: {error}", "make the certificate anew")
    return Flaw(f"it has {flaw}", f"use an RSA key of 2048 to 4096 bits; {LAB}") if flaw else None


def root_flaw(root: Certificate) -> Flaw | None:
    """Why no client could connect below this root; None if clients could.

    A root is self-signed (Azure's articles); its own signature may be of any algorithm, because
    nobody relies on it.
    """
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - as above

    from gateway.common.anchors import is_self_issued, objection  # noqa: PLC0415 - as above

    issuer = printable(root.issuer.rfc4514_string()) or "nobody"
    if not list(root.subject):
        return Flaw("its subject is empty, and nobody can be issued by it", _OTHER)
    if not is_self_issued(root):
        return Flaw(
            f"it is {_kind(root)}, issued by {issuer}", f"upload the certificate of {issuer}"
        )
    try:
        root.verify_directly_issued_by(root)
    except InvalidSignature:
        return Flaw(f"it is signed by another key of {issuer}, and not self-signed", _OTHER)
    except Exception:  # noqa: BLE001, S110 - an old algorithm that the library does not have
        pass
    why = objection(root)
    return Flaw(why, _OTHER) if why else None


_OTHER = "upload the certificate of the authority that issues the client certificates"


def _kind(certificate: Certificate) -> str:
    """What a certificate is that another has issued."""
    from cryptography import x509  # noqa: PLC0415 - as above
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415 - as above

    found = {extension.oid: extension.value for extension in certificate.extensions}
    basic = found.get(x509.BasicConstraints.oid)
    usages = found.get(x509.ExtendedKeyUsage.oid, ())
    if isinstance(basic, x509.BasicConstraints) and basic.ca:
        return "an intermediate authority"
    if isinstance(usages, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.CLIENT_AUTH in usages:
        return "a client certificate"
    return "a certificate of no authority"
