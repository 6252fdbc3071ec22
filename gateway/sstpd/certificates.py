"""A client's certificate over EAP-TLS: followed to an uploaded root in the worker."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509

from gateway import trust
from gateway.ppp.events import Refuse
from gateway.sstpd.messages import CertificateShown, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.ppp.events import CertificateAttempt


def look(attempt: CertificateAttempt, roots: Sequence[x509.Certificate]) -> CertificateShown:
    """Whose certificate it is, and the thumbprint of the root that it leads to.

    RefusedError for one that the gate needs not be asked about.
    """
    shown = None
    try:
        leaf, *others = map(x509.load_der_x509_certificate, attempt.chain)
        shown = CertificateShown(
            user=cut(trust.user_name(leaf)), thumbprint=trust.thumbprint(leaf), root=""
        )
        finding = trust.examine(leaf, others, roots, datetime.now(UTC))
    except Exception as error:  # noqa: BLE001 - whatever a foreign parser does with foreign bytes
        said = f"its chain cannot be read: {type(error).__name__}: {error}"
        raise RefusedError(shown, Refuse("untrusted", said)) from None
    if finding.reason:
        raise RefusedError(shown, Refuse(finding.reason, finding.message))
    return shown.model_copy(update={"root": trust.thumbprint(finding.chain[-1])})


class RefusedError(Exception):
    """The certificate is no good."""

    def __init__(self, shown: CertificateShown | None, verdict: Refuse) -> None:
        super().__init__(verdict.message)
        self.shown = shown
        self.verdict = verdict
