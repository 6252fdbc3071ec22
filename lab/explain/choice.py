"""Several certificates on a computer, of which it showed one that the gateway does not take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.common.certificate_forms import der_of
from lab.explain.document import configuration_of, entry_of
from lab.explain.model import Finding, stamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.pki.authority import Credential


@dataclass(frozen=True)
class Choice:
    """What was shown, and what would have been taken."""

    chosen: str
    expected: str

    def added(self, failed: Finding) -> Finding:
        """The finding with both, side by side."""
        cause = (
            f"{failed.cause}: the computer chose {self.chosen}, and has another that the gateway "
            f"takes, {self.expected}"
        )
        proof = (f"chosen: {self.chosen}", f"expected: {self.expected}", *failed.proof)
        return replace(failed, cause=cause, proof=proof, remedy="choose the other certificate")


def choice_of(
    certificates: Sequence[Credential], document: Mapping[str, Any], now: datetime | None = None
) -> Choice | None:
    """Of a computer's certificates, the first of which it shows; None: by the gateway's document
    none of the others is taken, or the first one is."""
    moment = now or datetime.now(UTC)
    if not certificates or taken(certificates[0], document, moment):
        return None
    better = [one for one in certificates[1:] if taken(one, document, moment)]
    return Choice(_words(certificates[0]), _words(better[0])) if better else None


def taken(credential: Credential, document: Mapping[str, Any], now: datetime | None = None) -> bool:
    """Whether a gateway takes a certificate, by its document."""
    moment = now or datetime.now(UTC)
    roots = {
        der_of(row["properties"]["publicCertData"])
        for row in configuration_of(document).get("vpnClientRootCertificates") or []
    }
    own = credential.certificate
    root = credential.issuers[-1] if credential.issuers else own
    return (
        root.public_bytes(Encoding.DER) in roots
        and own.not_valid_before_utc <= moment <= own.not_valid_after_utc
        and not entry_of(credential.thumbprint, document)
        and _is_for_clients(own)
    )


def shown_of(certificates: Sequence[Credential]) -> str:
    """That certificate in words; empty: there is none."""
    return "".join(map(_words, certificates[:1]))


def _is_for_clients(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage.value


def _words(credential: Credential) -> str:
    own = credential.certificate
    return (
        f"{credential.common_name} (issued by {_issuer(credential)}, valid from "
        f"{stamp(own.not_valid_before_utc.timestamp())} until "
        f"{stamp(own.not_valid_after_utc.timestamp())}, thumbprint {credential.thumbprint})"
    )


def _issuer(credential: Credential) -> str:
    names = credential.certificate.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else credential.certificate.issuer.rfc4514_string()
