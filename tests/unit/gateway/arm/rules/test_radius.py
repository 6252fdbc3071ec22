"""RADIUS servers in a document."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.gateway.arm.rules.judging import RADIUS, judge, servers


def test_radius_needs_no_root(document: Any) -> None:
    wanted = {"radiusServers": servers(("10.1.0.9", 30), ("192.168.50.10", 1))}
    assert judge(document(**RADIUS, **wanted, vpnClientRootCertificates=[])) == []


def test_three_radius_servers_are_too_many(document: Any) -> None:
    three = servers(("10.1.0.9", 30), ("10.1.0.8", 2), ("10.1.0.7", 1))
    (violation,) = judge(document(**RADIUS, radiusServers=three))
    assert violation.message.startswith("3 RADIUS servers, 2 are allowed")


def test_radius_servers_are_given_in_one_way_only(document: Any) -> None:
    both = {"radiusServers": servers(("10.1.0.9", 1)), "radiusServerAddress": "10.1.0.8"}
    found = judge(document(**RADIUS, **both, radiusServerSecret="x"))
    assert [v.message for v in found] == ["RADIUS servers are given in two ways"]


@pytest.mark.parametrize("secret", ["", "a\nb", "ü", "x" * 129])
def test_an_unusable_secret_is_refused_without_its_text(secret: str, document: Any) -> None:
    one = {"radiusServerAddress": "10.1.0.9", "radiusServerSecret": secret}
    (violation,) = judge(document(**RADIUS, **one))
    assert "the shared secret" in violation.message
    assert not secret or secret not in violation.message + violation.remedy
