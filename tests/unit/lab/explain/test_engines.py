"""A daemon of the gateway that does not run."""

from __future__ import annotations

from typing import Any

from lab.explain import engines
from lab.explain.dial import Attempt, judge
from tests.unit.lab.checks.fakes import FakeGateway


def gateway(state: str) -> Any:
    """With one daemon, openvpn, in this state."""
    found: Any = FakeGateway()

    async def runtime() -> Any:
        return {"engines": [{"protocol": "OpenVPN", "state": state, "death": "openvpn ended"}]}

    found.runtime = runtime
    found.wrote("engine", "", "openvpn ended with code 1", protocol="OpenVPN", time="10:00")
    return found


async def test_one_that_runs_and_one_that_is_not_wanted_are_no_cause() -> None:
    assert await engines.look(gateway("running"), "OpenVPN") is None
    assert await engines.look(gateway("failed"), "SSTP") is None


async def test_a_gateway_that_is_off_runs_nothing() -> None:
    async def runtime() -> Any:
        raise ConnectionRefusedError(111, "Connection refused")

    found = gateway("running")
    found.runtime = runtime
    seen = await engines.look(found, "OpenVPN")
    assert seen is not None
    assert seen.cause == "the gateway gw is off: its API gives no answer"
    assert "Connection refused" in seen.proof[0]


async def test_its_name_its_moment_and_its_death_are_told() -> None:
    seen = await engines.look(gateway("failed"), "OpenVPN")
    assert seen is not None
    assert seen.cause == "openvpn of gw does not run since 10:00"
    assert seen.proof == (
        "gw, GET /runtime: openvpn is failed; openvpn ended",
        "the gateway's log at 10:00: openvpn ended with code 1",
    )
    attempt = Attempt(
        "OpenVPN",
        "no-answer",
        "Connection refused",
        dialled=True,
        at=1.0,
        listens={"tcp/443": False},
        engine=seen,
    )
    failed = judge(attempt).failed
    assert failed is not None
    assert failed.layer == "gateway-down"
    assert failed.cause == f"{seen.cause}: no program of the gateway listens on tcp/443"
    assert failed.proof[:2] == seen.proof
