"""Which client computers need PPP in their kernel."""

from __future__ import annotations

import pytest

from lab.topology.planning.planner import make_plan
from tests.unit.lab.topology.spoiling import SOUND, SOURCE, check

WITH_SSTP = ("[IkeV2, OpenVPN]", "[IkeV2, SSTP]")
BY_PYTHON = ("behind: home,", "behind: home, sstpClient: python,")
UPDATE = (
    "  - {update: contoso-gw, properties: {vpnClientConfiguration: {vpnClientProtocols: [%s]}}}\n"
)


def needs(*changes: tuple[str, str], steps: str = "") -> tuple[str, ...]:
    text = SOUND
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    plan = make_plan(check(text + steps), SOURCE)
    assert not [node for node in plan.nodes if node.kind != "client" and node.needs]
    return next(node.needs for node in plan.nodes if node.name == "alice")


def test_a_windows_computer_at_a_gateway_with_sstp_needs_ppp() -> None:
    assert needs(WITH_SSTP) == ("ppp",)


@pytest.mark.parametrize(
    "changes",
    [
        (),
        (WITH_SSTP, BY_PYTHON),
        (WITH_SSTP, ("os: windows10", "os: macos")),
        (WITH_SSTP, ("behind: home,", "behind: home, protocols: [IkeV2],")),
    ],
)
def test_others_need_nothing(changes: tuple[tuple[str, str], ...]) -> None:
    assert needs(*changes) == ()


def test_a_wrong_clock_is_one_of_its_own() -> None:
    wrong = ("behind: home,", "behind: home, clock: -2d,")
    assert needs(wrong) == ("clock",)
    assert needs(WITH_SSTP, wrong) == ("ppp", "clock")


def test_sstp_may_be_offered_later() -> None:
    assert needs(steps=UPDATE % "IkeV2, SSTP") == ("ppp",)
    assert needs(steps=UPDATE % "IkeV2") == ()
    assert (
        needs(steps="  - {update: contoso-gw, properties: {vpnClientConfiguration: null}}\n") == ()
    )
