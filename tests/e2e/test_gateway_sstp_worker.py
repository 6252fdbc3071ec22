"""The SSTP worker as a process of the gateway program: its rights, its death, its namespaces."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from gateway.sstp.protocol.events import Ended, Refused
from lab.errors import LabError
from lab.waiting import wait_until
from tests.rigs.gateway_bench import PRIVATE, Bench, client, on_a_gateway
from tests.rigs.patience import PATIENCE
from tests.rigs.sstp_bench import connected, off, outcome
from tests.rigs.taken_port import said_and_taken_when_free


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_the_worker_has_no_rights(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        await connected(bench, "alice")
        seen = status((await bench.engine("SSTP"))["pid"])
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(seen[name], 16) == 0, name
        assert seen["NoNewPrivs"] == "1"
        told = [r["message"] for r in await bench.records("engine")]
        alone = any("this user namespace does not map 65534" in message for message in told)
        assert alone or (told == [] and seen["Uid"].split() == ["65534"] * 4)
        assert alone or (seen["Gid"].split() == ["65534"] * 4 and seen["Groups"] == "")

    on_a_gateway(tmp_path, test, client("alice"))


def test_a_worker_that_is_killed_comes_back(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        alice = await connected(bench, "alice")
        first = (await bench.engine("SSTP"))["pid"]
        os.kill(first, signal.SIGKILL)

        async def back() -> bool:
            engine = await bench.engine("SSTP")
            return bool(engine["state"] == "running" and engine["pid"] != first)

        await wait_until("another worker", PATIENCE, back)
        assert await bench.gateway.sessions() == []
        assert (await bench.engine("SSTP"))["restarts"] == 1
        assert "killed by SIGKILL" in (await bench.records("engine"))[0]["message"]
        (ended,) = await bench.records("disconnected")
        assert "died" in ended["message"]
        await off(lambda: alice.until(Ended))
        alice = await connected(bench, "alice")
        assert await off(lambda: alice.ping(PRIVATE))

    on_a_gateway(tmp_path, test, client("alice"))


def test_a_worker_that_hangs_does_not_keep_a_revoked_session(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        await connected(bench, "alice")
        first = (await bench.engine("SSTP"))["pid"]
        os.kill(first, signal.SIGSTOP)
        failure = ""
        try:
            await bench.gateway.put(bench.document("SSTP", revoked=("alice",)))
        except LabError as error:
            failure = error.message
        assert not failure or "SSTP" in failure, "it fails, unless the heartbeat is first"

        async def back() -> bool:
            engine = await bench.engine("SSTP")
            return bool(engine["state"] == "running" and engine["pid"] != first)

        await wait_until("another worker", PATIENCE, back)
        assert await bench.gateway.sessions() == []
        await connected(bench, "bob", "pc2")
        assert isinstance(await outcome(bench, "alice"), Refused)

    on_a_gateway(tmp_path, test, client("alice"), client("bob"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_worker_ends_with_the_gateway_and_says_goodbye(
    tmp_path: Path, number: signal.Signals
) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        alice = await connected(bench, "alice")
        worker = (await bench.engine("SSTP"))["pid"]
        program = int(status(worker)["PPid"])
        os.kill(program, number)
        ended = await off(lambda: alice.until(Ended))
        assert ended.why == "the peer ended the link"

        def gone() -> bool:
            return not Path(f"/proc/{worker}").exists() or status(worker)["State"][0] == "Z"

        await wait_until("the worker's end", PATIENCE, gone)

    on_a_gateway(tmp_path, test, client("alice"))


def test_port_443_in_use_is_said_and_taken_when_free(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        said = r"cannot listen on .*:443: Address already in use"
        await said_and_taken_when_free(bench, "SSTP", said)
        await connected(bench, "alice")

    on_a_gateway(tmp_path, test, client("alice"))


def test_no_module_is_missing_after_root_is_gone(tmp_path: Path) -> None:
    """a late import would have killed the worker: a call through all its stages, refused ones and
    a goodbye leave the first one running."""

    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP", revoked=("bob",)))
        alice = await connected(bench, "alice")
        assert await off(lambda: alice.ping(PRIVATE))
        await off(alice.hang_up)
        engine = await bench.engine("SSTP")
        assert engine["restarts"] == 0
        assert engine["state"] == "running"
        log = await bench.nodes["gw"].run(["cat", "/run/gateway/sstp/sstpd.log"])
        assert log.stdout == ""

    on_a_gateway(tmp_path, test, client("alice"), client("bob"))
