"""The default node, in a lab's namespaces."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.common.background import end
from lab.nodes.namespace import NamespaceNode
from lab.runtime.network import build_network
from lab.topology.planning.plan import Bridge, Cable, End, NodePlan, Plan, Route
from lab.waiting import wait_until
from tests.rigs.isolated import isolated

PAIR = Plan(
    "pair", "",
    nodes=(
        NodePlan("router", "internet", bridges=(Bridge("lan", ("10.0.0.1/24", "fd00::1/64")),),
                 forwarding=True, nftables="add table ip own"),
        NodePlan("pc", "client", routes=(Route("default", "10.0.0.1"), Route("default", "fd00::1")),
                 nameservers=("10.0.0.1",), hosts=(("10.0.0.1", ("router", "gate.way")),)),
    ),
    links=(
        Cable(End("router", "p0", bridge="lan"), End("pc", "eth0", ("10.0.0.2/24", "fd00::2/64"))),
    ),
    certificates=(), gateways=(), clients=(), steps=(),
)  # fmt: skip


def on_a_pc(test: Callable[[NamespaceNode], Awaitable[None]], tmp_path: Path) -> None:
    async def there() -> None:
        nodes = await build_network(PAIR, tmp_path)
        await test(nodes["pc"])

    isolated(there)


def test_a_node_has_its_own_name_files_and_places(tmp_path: Path) -> None:
    async def test(pc: NamespaceNode) -> None:
        assert (await pc.run(["hostname"])).stdout == "pc\n"
        assert (await pc.run(["cat", "/etc/hostname"])).stdout == "pc\n"
        assert (await pc.run(["getent", "hosts", "gate.way"])).stdout.split()[0] == "10.0.0.1"
        assert (await pc.run(["cat", "/etc/resolv.conf"])).stdout == "nameserver 10.0.0.1\n"
        assert (await pc.run(["ls", "/run", "/tmp", "/dev/shm"])).stdout.split() == [
            "/dev/shm:", "/run:", "/tmp:",
        ]  # fmt: skip
        assert (await pc.run(["ls", "/sys/class/net"])).stdout.split() == ["eth0", "lo"]

    on_a_pc(test, tmp_path)


def test_a_program_has_its_input_its_streams_and_its_code(tmp_path: Path) -> None:
    async def test(pc: NamespaceNode) -> None:
        done = await pc.run(["sh", "-c", "cat; echo $X >&2; exit 7"], input="hé", env={"X": "x"})
        assert (done.code, done.stdout, done.stderr) == (7, "hé", "x\n")
        assert (await pc.run(["sh", "-c", "kill -9 $$"])).code == -9

    on_a_pc(test, tmp_path)


def test_a_proxy_of_the_machine_does_not_reach_a_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")

    async def test(pc: NamespaceNode) -> None:
        assert "proxy" not in (await pc.run(["env"])).stdout

    on_a_pc(test, tmp_path)


def test_a_program_over_its_limit_is_quoted_and_killed_with_its_session(tmp_path: Path) -> None:
    async def test(pc: NamespaceNode) -> None:
        with pytest.raises(TimeoutError, match=r"pc: sh did not end within 0\.3 s; output: hello"):
            await pc.run(["sh", "-c", "echo hello; sleep 70 & sleep 71"], limit=0.3)
        assert await _sleepers(pc) == 0

    on_a_pc(test, tmp_path)


def test_a_cancelled_run_leaves_no_program_behind(tmp_path: Path) -> None:
    async def test(pc: NamespaceNode) -> None:
        running = asyncio.create_task(pc.run(["sleep", "72"]))
        await asyncio.sleep(0)
        await end(running)
        assert await _sleepers(pc) == 0

    on_a_pc(test, tmp_path)


def test_a_program_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    async def test(pc: NamespaceNode) -> None:
        with pytest.raises(FileNotFoundError, match="nosuchprogram"):
            await pc.run(["nosuchprogram"])

    on_a_pc(test, tmp_path)


def test_a_spawned_program_logs_outside_and_its_end_is_seen(tmp_path: Path) -> None:
    async def test(pc: NamespaceNode) -> None:
        program = await pc.spawn(["sh", "-c", "echo up; exec sleep 73"], log="daemon")
        assert program.log == tmp_path / "pc" / "daemon.log"
        await wait_until("its word", 30, lambda: program.log.read_text() == "up\n")
        assert program.code is None
        program.signal(signal.SIGKILL)
        assert await program.wait() == -9
        assert program.code == -9
        program.signal(signal.SIGTERM)  # nothing happens

    on_a_pc(test, tmp_path)


def test_stopping_a_program_that_ignores_it_kills_its_session(tmp_path: Path) -> None:
    async def test(pc: NamespaceNode) -> None:
        program = await pc.spawn(
            ["sh", "-c", "trap '' TERM; echo up; sleep 74 & sleep 75"], log="stubborn"
        )
        await wait_until("its word", 30, lambda: program.log.read_text() == "up\n")
        assert await program.stop(limit=0.2) == -9
        assert await _sleepers(pc) == 0

    on_a_pc(test, tmp_path)


def test_a_written_file_is_the_node_s_own_with_its_mode(tmp_path: Path) -> None:
    async def test(pc: NamespaceNode) -> None:
        for path in ("/run/a/secret", "/tmp/secret", "/etc/ppp/secret", "/etc/hosts"):
            await pc.write(path, "word", 0o600)
            assert await pc.read(path) == b"word"
            assert (await pc.run(["stat", "-c", "%a", path])).stdout == "600\n"
            with suppress(FileNotFoundError):
                assert _outside(path) != "word"
        assert (await pc.run(["ls", "/etc/ssl/certs"])).code == 0
        with pytest.raises(ValueError, match="own"):
            await pc.write("/usr/bin/x", b"")
        with pytest.raises(ValueError, match="own"):
            await pc.write("/tmp/../usr/bin/x", b"")

    on_a_pc(test, tmp_path)


def test_a_socket_opened_by_a_call_belongs_to_the_node(tmp_path: Path) -> None:
    async def test(pc: NamespaceNode) -> None:
        def listen() -> socket.socket:
            return socket.create_server(("10.0.0.2", 7777))

        server = await pc.call(listen)
        server.setblocking(False)
        done = await pc.run(["bash", "-c", "exec 3<>/dev/tcp/10.0.0.2/7777"])
        assert done.code == 0, done.output
        server.close()

    on_a_pc(test, tmp_path)


def test_a_restart_leaves_no_program_and_no_file(tmp_path: Path) -> None:
    async def test(pc: NamespaceNode) -> None:
        await pc.write("/tmp/d/x", "x")
        await pc.write("/run/x", "x")
        await pc.write("/etc/resolv.conf", "nameserver 192.0.2.9\n")
        program = await pc.spawn(["sh", "-c", "(setsid sleep 76 &); sleep 77"], log="x")
        await wait_until("both", 30, lambda: _both(pc))
        await pc.reboot()
        assert await program.wait() == -9
        assert await _sleepers(pc) == 0
        assert (await pc.run(["ls", "-A", "/run", "/tmp"])).stdout == "/run:\n\n/tmp:\n"
        assert (await pc.run(["cat", "/etc/resolv.conf"])).stdout == "nameserver 10.0.0.1\n"

    on_a_pc(test, tmp_path)


def _outside(path: str) -> str:
    """The file that other processes see."""
    return Path(path).read_text()


async def _both(pc: NamespaceNode) -> bool:
    return await _sleepers(pc) == 2


async def _sleepers(pc: NamespaceNode) -> int:
    """Live processes: orphans are not reaped here."""
    return len((await pc.run(["pgrep", "-x", "sleep", "-r", "R,S"])).stdout.split())


LEFTOVERS = """
ip link add d0 type veth peer name d1
ip addr add 172.16.201.5/32 dev eth0
ip rule add pref 220 table 220
ip route add table 220 default via 10.0.0.1
ip route add table 220 throw 10.9.0.0/16
ip route add 10.8.0.0/16 via 10.0.0.1
nft add table ip leftover
"""
STATE = "ip -br link; ip -br -4 addr; ip -4 route show table all; ip rule; nft list ruleset"


def test_a_restart_makes_the_network_what_it_was(tmp_path: Path) -> None:
    async def test(pc: NamespaceNode) -> None:
        before = (await pc.run(["sh", "-c", STATE])).output
        done = await pc.run(["sh", "-ec", LEFTOVERS])
        assert done.code == 0, done.output
        if os.access("/dev/net/tun", os.W_OK):
            assert (await pc.run(["ip", "tuntap", "add", "mode", "tun", "name", "tun9"])).code == 0
        assert (await pc.run(["sh", "-c", STATE])).output != before
        await pc.reboot()
        assert (await pc.run(["sh", "-c", STATE])).output == before
        assert (await pc.run(["ping", "-c1", "-W2", "gate.way"])).code == 0
        assert (await pc.run(["ping", "-6", "-c1", "-W2", "fd00::1"])).code == 0

    on_a_pc(test, tmp_path)
