"""A gateway's certificate beside what a client's profile expects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab.explain.server_certificate import Expected, differences, finding
from lab.pki.authority import Credential, issue
from lab.topology.planning.plan import CertificatePlan

NAME = "gw.vpn.azure.com"
MADE = issue(
    (
        CertificatePlan("public", "public", None, "root"),
        CertificatePlan("other", "other", None, "root"),
        CertificatePlan("between", "between", "public", "intermediate"),
        CertificatePlan("good", NAME, "public", "server", dns_names=(NAME, "second")),
        CertificatePlan("below", NAME, "between", "server", dns_names=(NAME,)),
        CertificatePlan("named", "vpn", "public", "server", dns_names=("vpn",)),
        CertificatePlan("foreign", NAME, "other", "server", dns_names=(NAME,)),
    )
)
NOW = datetime.now(UTC)


def causes(name: str, expected: str = NAME, at: datetime = NOW) -> list[str]:
    roots = [MADE["public"].certificate]
    found = differences(shown(MADE[name]), Expected(expected, roots, at))
    return [one.cause for one in found]


def shown(credential: Credential) -> list[Any]:
    """As chain_pem has it: without the root."""
    issuers = [one for one in credential.issuers if one.subject != one.issuer]
    return [credential.certificate, *issuers]


@pytest.mark.parametrize(
    ("name", "expected"), [("good", NAME), ("good", "second"), ("below", NAME)]
)
def test_the_right_one_has_no_differences(name: str, expected: str) -> None:
    assert causes(name, expected) == []


@pytest.mark.parametrize(
    ("name", "days", "words"),
    [
        ("named", 0, f"it is for vpn, and the client expects {NAME}"),
        ("good", 400, "it has expired"),
        ("good", -400, "it is not valid yet"),
        ("foreign", 0, "its root is other, and the client's profile has public"),
    ],
)
def test_what_differs_is_named(name: str, days: int, words: str) -> None:
    assert causes(name, at=NOW + timedelta(days=days)) == [words]


def test_all_that_differs_is_in_the_finding() -> None:
    roots = [MADE["public"].certificate]
    found = differences(shown(MADE["foreign"]), Expected("gw", roots, NOW))
    told = finding("contoso-gw", found, "the client: no")
    assert told.layer == "certificate"
    assert told.cause.endswith(f"{found[0].cause}; {found[1].cause}")
    assert [line.partition(":")[0] for line in told.proof] == [
        "the gateway's certificate",
        "the gateway's certificate",
        "the client",
    ]
