"""A flood of refusals in the log."""

from __future__ import annotations

import asyncio

import pytest

from gateway.common import rate_limit
from gateway.policy import diagnostics, refusals

FLOOD = 3 * diagnostics.KEPT


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> refusals.BoundedLog:
    monkeypatch.setattr("gateway.policy.refusals.SUMMARY", 0.0)
    monkeypatch.setattr("gateway.common.rate_limit.RATE", 0.0)
    return refusals.BoundedLog()


def flood(log: refusals.BoundedLog, count: int = FLOOD, **who: str) -> None:
    for _ in range(count):
        log.add("refused", "OpenVPN", "no", reason="timeout", **who)


async def settled(log: refusals.BoundedLog) -> list[str]:
    """The records, once the summary is logged."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return [row["event"] for row in log.documents()]


async def test_a_flood_is_summed_up_in_one_line(
    log: refusals.BoundedLog, capsys: pytest.CaptureFixture[str]
) -> None:
    flood(log)
    assert await settled(log) == ["refused"] * rate_limit.BURST + ["engine"]
    assert len(capsys.readouterr().err.splitlines()) == rate_limit.BURST + 1
    left_out = FLOOD - rate_limit.BURST
    told = log.documents()[-1]["message"]
    assert told == f"{left_out} more refusals: timeout {left_out}"
    assert log.counts() == {
        "refused": {"OpenVPN": {"timeout": FLOOD}}, "withoutRecord": left_out
    }  # fmt: skip


async def test_known_clients_are_logged_during_a_flood(log: refusals.BoundedLog) -> None:
    flood(log)
    flood(log, user="claimed")
    log.add("refused", "OpenVPN", "revoked", reason="revoked", user="bob", thumbprint="AB")
    log.add("refused", "IkeV2", "no", reason="untrusted")
    reasons = [row["reason"] for row in log.documents()]
    assert reasons[-2:] == ["revoked", "untrusted"]
    await settled(log)


async def test_no_flood_of_one_event_flushes_another(
    log: refusals.BoundedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.common.rate_limit.RATE", 1e9)
    log.add("connected", "OpenVPN", "assigned", user="alice")
    flood(log)
    log.add("disconnected", "OpenVPN", "went away", user="alice")
    events = [row["event"] for row in log.documents()]
    assert events == ["connected", *["refused"] * diagnostics.KEPT, "disconnected"]
