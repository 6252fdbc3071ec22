"""A certificate on a gateway's list of revoked ones."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.lab.explain.test_dial import (
    DROPPED,
    THUMBPRINT,
    attempt,
    broken,
    document,
    followed,
    record,
)


def test_the_entry_with_the_thumbprint_is_named_whatever_it_is_called() -> None:
    rows = [{"name": "bobs-laptop", "properties": {"thumbprint": THUMBPRINT.lower()}}]
    one = attempt(record=record("revoked"), document=document(vpnClientRevokedCertificates=rows))
    assert broken(one).layer == "revocation"
    assert "'bobs-laptop'" in broken(one).cause
    later = replace(one, document=document(vpnClientRevokedCertificates=[]))
    assert "no longer in vpnClientRevokedCertificates" in broken(later).cause


def test_a_revoked_certificate_behind_a_firewall_is_said_second() -> None:
    rows = [{"name": "lost", "properties": {"thumbprint": THUMBPRINT}}]
    way = followed("alice", dropped=DROPPED)
    one = attempt(reason="no-answer", followed=(way,), thumbprint=THUMBPRINT,
                  document=document(vpnClientRevokedCertificates=rows))  # fmt: skip
    assert broken(one).layer == "firewall"
    cause = broken(one).cause
    assert cause.index("dropped") < cause.index("revoked: entry 'lost'")
    assert "revoked" not in broken(replace(one, thumbprint="B" * 40)).cause
