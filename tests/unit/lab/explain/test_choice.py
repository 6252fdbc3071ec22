"""Which of a computer's certificates a gateway takes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lab.explain.choice import choice_of, shown_of
from lab.explain.model import failure
from lab.pki.authority import issue
from lab.topology.planning.plan import CertificatePlan

MADE = issue(
    (
        CertificatePlan("new", "new", None, "root"),
        CertificatePlan("old", "old", None, "root"),
        CertificatePlan("good", "alice", "new", "client"),
        CertificatePlan("foreign", "alice", "old", "client"),
        CertificatePlan("expired", "alice", "new", "client", days_before=30, days_after=-1),
        CertificatePlan("later", "alice", "new", "client", days_before=-1),
        CertificatePlan("purpose", "alice", "new", "client", client_auth=False),
    )
)
NOW = datetime.now(UTC)


def document(*revoked: str) -> dict[str, Any]:
    rows = [{"name": n, "properties": {"thumbprint": MADE[n].thumbprint.lower()}} for n in revoked]
    roots = [{"name": "r", "properties": {"publicCertData": MADE["new"].public_cert_data}}]
    return {
        "properties": {
            "vpnClientConfiguration": {
                "vpnClientRootCertificates": roots,
                "vpnClientRevokedCertificates": rows,
            }
        }
    }


def choice(*names: str, revoked: tuple[str, ...] = ()) -> Any:
    return choice_of([MADE[name] for name in names], document(*revoked), NOW)


@pytest.mark.parametrize("shown", ["foreign", "expired", "later", "purpose"])
def test_the_better_one_is_named_beside_the_one_that_was_shown(shown: str) -> None:
    found = choice(shown, "purpose", "good")
    assert MADE[shown].thumbprint in found.chosen
    assert MADE["good"].thumbprint in found.expected
    told = found.added(failure("certificate", "no", "proof", remedy="renew"))
    assert told.cause.startswith("no: the computer chose alice (issued by ")
    assert [line.partition(":")[0] for line in told.proof] == ["chosen", "expected", "proof"]


def test_no_choice_helps_where_none_is_taken_or_the_first_one_is() -> None:
    assert choice("foreign", "expired", "later", "purpose") is None
    assert choice("good", "foreign") is None
    assert choice("foreign") is None
    assert choice() is None


def test_a_revoked_one_is_not_taken() -> None:
    assert choice("foreign", "good", revoked=("good",)) is None


def test_the_certificate_that_is_shown_is_the_first() -> None:
    assert shown_of([]) == ""
    words = shown_of([MADE["foreign"], MADE["good"]])
    assert words.startswith("alice (issued by ")
    assert " valid from 2" in words
