"""What changes nothing is refused, each with a remedy that works when it is followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.lab.topology import spoiling
from tests.unit.lab.topology.plans import plan_of
from tests.unit.lab.topology.spoiling import problems, spoil

CASES = yaml.safe_load(Path(__file__).with_name("unused.yaml").read_text())


def spoiled(case: dict[str, Any], part: str) -> tuple[str, list[tuple[int, int]]]:
    also = [tuple(case["also"])] if "also" in case else []
    return spoil((case["part"], case[part]), *also, text=getattr(spoiling, case["in"]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_it_is_refused_at_its_place_and_nowhere_else(case: dict[str, Any]) -> None:
    text, places = spoiled(case, "with")
    found = problems(text)
    assert [(line, column) for line, column, _ in found] == places, found
    assert found[0][2].startswith(case["says"])


@pytest.mark.parametrize(
    "case", [case for case in CASES if "right" in case], ids=lambda case: case["case"]
)
def test_the_remedy_helps_and_what_is_accepted_can_be_planned(case: dict[str, Any]) -> None:
    text, _ = spoiled(case, "right")
    assert problems(text) == []
    plan_of(text)


def test_the_sound_topology_with_passwords_is_accepted() -> None:
    assert problems(spoiling.RADIUS) == []


def test_revoking_needs_a_point_to_site_configuration() -> None:
    client = spoiling.SOUND[
        spoiling.SOUND.index("      vpnClientConf") : spoiling.SOUND.index("pki:")
    ]
    text = spoiling.SOUND.replace(client, "").replace(
        "{connects: alice, over: IkeV2}", "{revoke: alice}"
    )
    [(_, _, said)] = problems(text)
    assert said.startswith("'contoso-gw' has no point-to-site connections; add `vpnClientConf")


ASKS = (
    "{vpnClientProtocols: [IkeV2], vpnAuthenticationTypes: [Radius], "
    "radiusServerAddress: 10.1.1.9, radiusServerSecret: s}"
)
MISTAKES = {
    "a RADIUS server at another address": (
        "RADIUS", "radiusServerAddress: 192.168.50.10", "radiusServerAddress: 192.168.50.99"
    ),
    "passwords at a server that speaks EAP-TLS alone": (
        "RADIUS", "group: vpn,", "methods: [EAP-TLS], certificates: {authority: contoso-root},"
    ),
    "a certificate where the RADIUS server wants passwords": (
        "RADIUS", "user: alice}", "certificate: {issuer: contoso-root}}"
    ),
    "RADIUS in place of certificates, by an update that leaves the roots": (
        "SOUND", "{reaches: alice, host: app1, port: 80}",
        f"{{update: contoso-gw, properties: {{vpnClientConfiguration: {ASKS}}}}}",
    ),
    "a RADIUS server that no gateway asks": (
        "SOUND", "serves: [http]}", "serves: [http], radius: {users: {alice: {password: x}}}}"
    ),
    "an SSTP client where SSTP is not offered": (
        "SOUND", "os: windows10,", "os: windows10, sstpClient: python,"
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_that_people_make_can_be_reproduced(mistake: str) -> None:
    kind, part, other = MISTAKES[mistake]
    text, _ = spoil((part, other), text=getattr(spoiling, kind))
    assert problems(text) == []
    plan_of(text)
