"""Rules about root and revoked certificates."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from typing import TYPE_CHECKING

from gateway.arm.rules.case import CLIENT, Path, Violation

MAXIMUM_ROOTS = 20
ROOTS: Path = (*CLIENT, "vpnClientRootCertificates")
REVOKED: Path = (*CLIENT, "vpnClientRevokedCertificates")
_TROUBLESHOOT = "azure-docs vpn-gateway-troubleshoot-vpn-point-to-site-connection-problems"

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    for index, root in enumerate(case.client.vpnClientRootCertificates):
        data = root.properties.publicCertData
        if case.placeholders and _placeholder(data, "publicCertData"):
            continue
        flaw = certificate_flaw(data)
        if flaw:
            yield Violation(
                (*ROOTS, index, "properties", "publicCertData"),
                f"Data for certificate {root.name} is invalid: {flaw}",
                "the Base64 text of the certificate on one line, without BEGIN and END lines",
                f"{_TROUBLESHOOT}; seed: be sure to convert the root certificate to Base64.",
            )


def thumbprints(case: Case) -> Iterator[Violation]:
    """A thumbprint is the SHA-1 of the DER, in hexadecimal."""
    for index, revoked in enumerate(case.client.vpnClientRevokedCertificates):
        text = revoked.properties.thumbprint
        if case.placeholders and _placeholder(text, "thumbprint"):
            continue
        if not re.fullmatch(r"[0-9A-Fa-f]{40}", text):
            yield Violation(
                (*REVOKED, index, "properties", "thumbprint"),
                f"{text!r} is not a thumbprint",
                "40 hexadecimal digits without spaces or colons: SHA-1 of the certificate",
                "azure-docs vpn-gateway-howto-point-to-site-rm-ps: revoke a client certificate",
            )


def _placeholder(text: str, attribute: str) -> bool:
    return re.fullmatch(rf"\$\{{[^\s${{}}]+\.{attribute}\}}", text) is not None


def certificate_flaw(data: str) -> str | None:
    """What is wrong with a publicCertData; None if it is valid."""
    if data.startswith("-----BEGIN"):
        return "it has BEGIN and END lines"
    if re.search(r"\s", data):
        return "it has line breaks or spaces"
    try:
        der = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return "it is not Base64"
    from cryptography.x509 import load_der_x509_certificate  # noqa: PLC0415 - 60 ms, seldom used

    from gateway.common.public_keys import ROOTS_RSA_BITS, key_flaw  # noqa: PLC0415 - as above

    try:
        root = load_der_x509_certificate(der)
        root.subject.rfc4514_string()
    except Exception:  # noqa: BLE001 - a foreign parser on untrusted bytes may raise anything
        return "it is not an X.509 certificate"
    return key_flaw(root, ROOTS_RSA_BITS) or None
