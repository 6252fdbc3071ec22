"""Which certificate of a chain a gateway did not take."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lab.explain.attempt import Attempt
from lab.pki.authority import issue
from lab.topology.planning.plan import CertificatePlan
from lab.world import Changed, Deed
from tests.unit.lab.explain.test_dial import attempt, broken, record

MADE = issue(
    (
        CertificatePlan("new", "new", None, "root"),
        CertificatePlan("old", "old", None, "root", days_before=30, days_after=-1),
        CertificatePlan("staff", "staff", "new", "intermediate", days_before=30, days_after=-1),
        CertificatePlan("late", "alice", "new", "client", days_before=30, days_after=-1),
        CertificatePlan("early", "alice", "new", "client", days_before=-1),
        CertificatePlan("of-staff", "alice", "staff", "client"),
        CertificatePlan("of-old", "alice", "old", "client"),
        CertificatePlan("good", "alice", "new", "client"),
    )
)


def refused(name: str, reason: str, *deeds: Deed, uploaded: str = "new") -> Attempt:
    row = {"name": "r", "properties": {"publicCertData": MADE[uploaded].public_cert_data}}
    document: dict[str, Any] = {
        "name": "gw",
        "properties": {"vpnClientConfiguration": {"vpnClientRootCertificates": [row]}},
    }
    return attempt(record=record(reason, "the words"), credential=MADE[name], at=time.time(),
                   document=document, deeds=deeds)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("late", "expired", "the client certificate has expired: valid until "),
        (
            "early",
            "not-yet-valid",
            "the client certificate is not valid yet by the gateway's clock",
        ),
        ("of-staff", "expired", "CN=staff, an issuer of the client certificate, has expired: "),
        ("of-old", "expired", "CN=old, the root of the client certificate, has expired: "),
    ],
)
def test_the_certificate_that_is_out_of_date_is_named(name: str, reason: str, words: str) -> None:
    found = broken(refused(name, reason))
    assert found.layer == "certificate"
    assert found.cause.startswith(words)
    assert found.proof[0].startswith("CN=alice: valid from ")


def test_where_all_are_valid_the_gateways_words_remain() -> None:
    found = broken(refused("good", "expired"))
    assert found.cause == "the client certificate has expired"
    assert any("the words" in line for line in found.proof)


def test_the_end_of_the_chain_is_shown_beside_what_is_uploaded() -> None:
    found = broken(refused("of-old", "untrusted"))
    assert found.cause.endswith("its chain ends at CN=old, and uploaded are r (CN=new)")
    key = "vpnClientConfiguration.vpnClientRootCertificates"
    changed = Changed("gw", {key: (["old"], ["new"])})
    deed = Deed(0.0, "update", "gw", "update gw", "accepted", changed=changed)
    later = broken(refused("of-old", "untrusted", deed))
    assert later.cause.endswith("since an update at 1970-01-01T00:00:00.000+00:00")


def test_a_root_that_is_uploaded_is_not_called_missing() -> None:
    found = broken(refused("good", "untrusted"))
    assert found.cause == (
        "the certificate has no valid chain to its root, which is uploaded: the words"
    )
