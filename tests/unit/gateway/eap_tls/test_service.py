"""The gateway's end of eapd, with a worker that is a small script: a real process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.common.waiting import wait_until
from gateway.eap_tls import service as eap_tls
from gateway.eap_tls.service import EapTls
from gateway.eap_tls.worker import messages as m

WORKER = """
import json, socket, sys
from pathlib import Path
place, control = Path(sys.argv[1]), int(sys.argv[-1].removeprefix("--control="))
gateway = socket.socket(fileno=control)
say = lambda **message: gateway.send(json.dumps(message).encode())
while data := gateway.recv(200000):
    order = json.loads(data)
    with (place / "orders").open("a") as file:
        file.write(json.dumps(order) + "\\n")
    kind = (place / "mode").read_text()
    if order["kind"] == "configure":
        say(kind="configured", number=order["number"])
    elif order["kind"] == "ping":
        say(kind="pong", number=order["number"], counts={"shown": 4})
    elif kind == "silent" or order["kind"] == "forget":
        pass
    elif kind == "nonsense":
        gateway.send(b"[]")
    elif kind == "crash":
        sys.exit(3)
    elif order["kind"] == "response":
        say(kind="request", conversation=order["conversation"], packet="AQIABQ0=")
    elif order["kind"] == "look":
        certificate = {"user": "alice", "thumbprints": ["AA"], "root": "BB"}
        say(kind="looked", number=order["number"], reason=None, message="", certificate=certificate)
"""
IDENTITY = b"\x02\x07\x00\x0a\x01alice"


class Bench:
    def __init__(self, place: Path, service: EapTls) -> None:
        self.place, self.service = place, service
        self.mode("answers")

    def mode(self, word: str) -> None:
        (self.place / "mode").write_text(word)

    def orders(self) -> str:
        return (self.place / "orders").read_text()


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    files = SimpleNamespace(certificate="a", privateKey="b")
    service = EapTls(
        cast("Any", SimpleNamespace(serverCertificate=files)), tmp_path, lambda _: None
    )
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    program = service._program()
    argv = (program.argv[0], str(script), str(tmp_path))
    monkeypatch.setattr(service, "_program", lambda: replace(program, argv=argv))
    monkeypatch.setattr(eap_tls, "ANSWER_LIMIT", 0.5)
    bench = Bench(tmp_path, service)
    await service.configure(())
    yield bench
    await service.stop()


async def test_questions_are_answered_by_their_numbers(bench: Bench) -> None:
    one, two = (bench.service.begin("192.0.2.2") for _ in range(2))
    answers = await asyncio.gather(
        bench.service.respond(one, IDENTITY),
        bench.service.respond(two, IDENTITY),
        bench.service.look((b"der",)),
    )
    assert [getattr(answer, "conversation", None) for answer in answers] == [one, two, None]
    assert answers[2].certificate.user == "alice"
    await bench.service.refresh()
    assert bench.service.report()["counters"] == {"shown": 4, "open": 2, "evicted": 0}


async def test_the_worker_has_few_packets_at_a_time_and_a_heartbeat_passes_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.service, "_turns", asyncio.Semaphore(2))
    bench.mode("silent")
    numbers = [bench.service.begin("192.0.2.2") for _ in range(5)]
    asking = [asyncio.create_task(bench.service.respond(n, IDENTITY)) for n in numbers]
    await wait_until("two", 30, lambda: bench.orders().count('"response"') == 2)
    await bench.service.refresh()
    assert bench.orders().count('"response"') == 2
    answers = await asyncio.gather(*asking)
    assert [type(answer) for answer in answers] == [m.Failed] * 5


@pytest.mark.parametrize("mode", ["silent", "nonsense", "crash"])
async def test_no_answer_means_no_and_another_worker_answers_later(bench: Bench, mode: str) -> None:
    bench.mode(mode)
    number = bench.service.begin("192.0.2.2")
    failed = await bench.service.respond(number, IDENTITY)
    looked = await bench.service.look((b"der",))
    assert isinstance(failed, m.Failed)
    assert (failed.reason, failed.packet) == ("fault", b"\x04\x07\x00\x04")
    assert looked.reason == "fault"
    counters = cast("dict[str, int]", bench.service.report()["counters"])
    assert counters["open"] == 0
    bench.mode("answers")

    async def answers() -> bool:
        return (await bench.service.look((b"der",))).reason is None

    await wait_until("an answer", 30, answers)


async def test_a_conversation_of_a_worker_that_died_is_over(bench: Bench) -> None:
    number = bench.service.begin("192.0.2.2")
    pid = cast("int", bench.service.report()["pid"])
    os.kill(pid, signal.SIGKILL)

    def restarted() -> bool:
        return bench.service.report()["state"] == "running" and (
            bench.service.report()["pid"] != pid
        )

    await wait_until("another worker", 30, restarted)
    failed = await bench.service.respond(number, IDENTITY)
    assert isinstance(failed, m.Failed)
    assert failed.reason == "timeout"


async def test_of_too_many_the_oldest_of_the_greediest_goes(bench: Bench) -> None:
    honest = bench.service.begin("192.0.2.9")
    numbers = [bench.service.begin("192.0.2.2") for _ in range(eap_tls.SHARE)]
    over = bench.service.begin("192.0.2.2")
    gone = await bench.service.respond(numbers[0], IDENTITY)
    assert isinstance(gone, m.Failed)
    for number in (honest, over):
        assert isinstance(await bench.service.respond(number, IDENTITY), m.Request)
    counters = cast("dict[str, int]", bench.service.report()["counters"])
    assert counters["evicted"] == 1


async def test_a_conversation_ends_by_the_clock(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eap_tls, "LIFE", 0.0)
    number = bench.service.begin("192.0.2.2")
    await wait_until(
        "its end", 5.0, lambda: f'"forget", "conversation": {number}' in bench.orders()
    )
    assert isinstance(await bench.service.respond(number, IDENTITY), m.Failed)


async def test_what_is_too_large_is_no_question(bench: Bench) -> None:
    assert (await bench.service.look((bytes(20000),))).reason == "fault"
    assert (await bench.service.look((b"x",) * 17)).reason == "fault"
    number = bench.service.begin("192.0.2.2")
    assert isinstance(await bench.service.respond(number, bytes(9000)), m.Request)
    assert len(bench.orders()) < 9000


async def test_without_a_worker_nobody_is_good(bench: Bench) -> None:
    await bench.service.stop()
    assert (await bench.service.look((b"der",))).reason == "fault"
    number = bench.service.begin("192.0.2.2")
    assert isinstance(await bench.service.respond(number, IDENTITY), m.Failed)
