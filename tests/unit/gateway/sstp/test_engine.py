"""SSTP's engine with a worker that is a small script: a real process on the real channel."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.arm.placement import Placement
from gateway.common.errors import EngineError
from gateway.common.waiting import wait_until
from gateway.engine import EngineContext, Settings
from gateway.policy.admission import Admission, Policy
from gateway.policy.sessions import Peer, Sessions
from gateway.policy.trust import thumbprint
from gateway.sstp import engine as sstp
from tests.rigs.fences import RecordingFence
from tests.unit.gateway.context import FakeEapTls, engine_context, shown

POOL = (IPv4Network("172.16.9.0/29"),)
WORKER = """
import json, os, signal, socket, sys, time
from pathlib import Path
place, control = Path(sys.argv[1]), int(sys.argv[-1].removeprefix("--control="))
gateway = socket.socket(fileno=control)
say = lambda **message: gateway.send(json.dumps(message).encode())
while (place / "slow").exists():
    time.sleep(0.01)
def receive():
    try:
        return gateway.recv(200000)
    except ConnectionResetError:  # the gateway has closed its end, with something unread in it
        return b""
while data := receive():
    order = json.loads(data)
    with (place / "orders").open("a") as file:
        file.write(json.dumps(order) + "\\n")
    if order["kind"] == "configure":
        say(kind="configured", number=order["number"])
    elif order["kind"] == "report":
        for line in (place / "say").read_text().splitlines():
            gateway.send(line.encode())
        say(kind="counts", traffic=[], totals={"connections": 3})
    elif order["kind"] == "ping":
        say(kind="pong")
    elif order["kind"] == "end":
        say(kind="closed", call=order["call"], why=order["why"])
signal.pause()  # it does not go by itself
"""


class WorkerSockets:
    """No port and no device."""

    own_address = IPv4Address("172.16.9.1")

    def __init__(self, _: IPv4Address) -> None:
        self.opened: list[Any] = []

    def open(self, pool: Any, *, vnet_hdr: bool) -> None:
        self.opened.append(pool)

    def descriptors(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        self.opened.append(None)


class Bench:
    def __init__(self, engine: sstp.SstpEngine, around: EngineContext, place: Path) -> None:
        self.engine, self.around, self.place = engine, around, place

    def orders(self, kind: str) -> list[dict[str, Any]]:
        lines = (self.place / "orders").read_text().splitlines()
        return [order for order in map(json.loads, lines) if order["kind"] == kind]

    async def says(self, *messages: Any) -> None:
        """Have the worker send these before it answers a report."""
        text = "\n".join(m if isinstance(m, str) else json.dumps(m) for m in messages)
        (self.place / "say").write_text(text)
        await self.engine.refresh()

    def records(self, event: str) -> list[dict[str, Any]]:
        return [r for r in self.around.log.documents() if r["event"] == event]


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pki: Any) -> AsyncIterator[Bench]:
    monkeypatch.setattr(sstp, "WorkerSockets", WorkerSockets)
    monkeypatch.setattr(sstp.native, "load", lambda: None)
    (tmp_path / "say").write_text("")
    placement = Placement.model_validate(
        {
            "name": "gw",
            "gatewayId": "1",
            "fqdn": "gw",
            "publicIPAddress": "203.0.113.2",
            "privateIPAddress": "10.1.255.4",
            "virtualNetwork": {"name": "v", "addressPrefixes": ["10.1.0.0/16"]},
            "interfaces": {"public": "wan", "private": "lan"},
            "serverCertificate": {"certificate": "a", "privateKey": "b", "root": "c"},
        }
    )
    sessions = Sessions(RecordingFence())
    admission = Admission(sessions)
    admission.policy = Policy(
        roots=frozenset((thumbprint(pki["root"]),)), limits={"SSTP": 1}, parts={"SSTP": POOL}
    )
    around = engine_context(
        sessions,
        admission=admission,
        placement=placement,
        state=tmp_path,
        eap_tls=FakeEapTls(shown(root=thumbprint(pki["root"]))),
        radius=SimpleNamespace(enabled=False),
    )
    engine = sstp.SstpEngine(around)
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    program = engine._program()
    argv = (program.argv[0], str(script), str(tmp_path))
    monkeypatch.setattr(engine, "_program", lambda: replace(program, argv=argv))
    yield Bench(engine, around, tmp_path)
    await engine.stop()


def settings(pki: Any, *roots: str, **changes: Any) -> Settings:
    given = Settings(tuple(pki[name] for name in roots), POOL, (), (IPv4Address("10.1.0.4"),))
    return replace(given, **changes)


async def test_the_worker_gets_the_desired_state_and_changes_of_it(bench: Bench, pki: Any) -> None:
    await bench.engine.configure(settings(pki, "root"))
    pid = bench.engine.report().pid
    await bench.engine.configure(settings(pki, "root", radius=True))
    first, second = bench.orders("configure")
    assert (first["local_address"], first["dns"]) == ("172.16.9.1", ["10.1.0.4"])
    assert (first["methods"], second["methods"]) == (["EAP"], ["EAP", "MS-CHAPv2"])
    assert bench.engine.report().pid == pid
    assert bench.engine.report().state == "running"


async def test_a_state_that_comes_while_the_worker_starts_is_the_one_in_force(
    bench: Bench, pki: Any
) -> None:
    (bench.place / "slow").touch()
    starting = asyncio.create_task(bench.engine.configure(settings(pki, "root")))
    await wait_until("a worker", 30, lambda: bench.engine.report().pid)
    changing = asyncio.create_task(bench.engine.configure(settings(pki, "root", radius=True)))
    await asyncio.sleep(0)
    (bench.place / "slow").unlink()
    await asyncio.gather(starting, changing)
    assert bench.orders("configure")[-1]["methods"] == ["EAP", "MS-CHAPv2"]


async def test_another_pool_is_another_worker(bench: Bench, pki: Any) -> None:
    await bench.engine.configure(settings(pki, "root"))
    pid = bench.engine.report().pid
    other = (IPv4Network("172.16.99.0/24"),)
    await bench.engine.configure(settings(pki, "root", pool=other))
    assert bench.engine.report().pid != pid
    assert bench.engine._sockets.opened == [POOL, None, other]  # type: ignore[attr-defined]


def asked(call: int) -> dict[str, Any]:
    given = {"method": "EAP", "packet": "", "identity": "alice"}
    return {"kind": "asked", "call": call, "address": "192.0.2.2", "attempt": given}


async def test_a_call_from_the_question_to_the_end_and_who_is_busy_meanwhile(
    bench: Bench, pki: Any
) -> None:
    await bench.engine.configure(settings(pki, "root"))
    await bench.says(asked(7))
    await wait_until("the answer", 30, lambda: bench.orders("admitted"))
    await wait_until("busy", 30, lambda: bench.orders("busy"))
    assert bench.orders("admitted")[0]["address"] == "172.16.9.2"
    await bench.says({"kind": "opened", "call": 7, "binding": "SHA256, pppd"})
    (session,) = bench.around.sessions
    await bench.engine.disconnect(session, "disconnected by the operator")
    assert list(bench.around.sessions) == []
    assert bench.records("disconnected")[0]["message"] == "disconnected by the operator"
    await wait_until("no longer busy", 30, lambda: len(bench.orders("busy")) == 2)
    assert [order["busy"] for order in bench.orders("busy")] == [True, False]


async def test_refusals_and_notes_reach_the_log_and_counts_the_report(
    bench: Bench, pki: Any
) -> None:
    await bench.engine.configure(settings(pki, "root"))
    refused = {"kind": "refused", "reason": "tls", "message": "too old", "address": "192.0.2.2"}
    by_server = refused | {"reason": "password", "message": "no", "radius_server": "10.1.1.9"}
    await bench.says(refused, by_server, {"kind": "noted", "message": "9 more refusals"})
    record, told = bench.records("refused")
    assert (record["reason"], record["publicIpAddress"]) == ("tls", "192.0.2.2")
    assert (told["radiusServer"], told["message"]) == ("10.1.1.9", "RADIUS server 10.1.1.9: no")
    assert bench.records("engine")[0]["message"] == "9 more refusals"
    assert bench.engine.report().counters == {"connections": 3}


async def test_a_worker_that_sends_invalid_messages_is_replaced_and_its_sessions_end(
    bench: Bench, pki: Any
) -> None:
    await bench.engine.configure(settings(pki, "root"))
    peer = Peer("SSTP", "alice", ("AA",), thumbprint(pki["root"]))
    place = bench.around.sessions.reserve(peer, IPv4Address("172.16.9.2"))
    bench.around.sessions.open(place, handle="7", private_address=place.address)
    pid = bench.engine.report().pid
    with pytest.raises(EngineError):
        await bench.says('{"kind":"admitted"}')

    def replaced() -> bool:
        report = bench.engine.report()
        return report.state == "running" and report.pid != pid

    await wait_until("another worker", 30, replaced)
    assert list(bench.around.sessions) == []
    assert f"killed by {signal.SIGKILL.name}" in bench.records("engine")[0]["message"]
    assert len(bench.orders("configure")) == 2
