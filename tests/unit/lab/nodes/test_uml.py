"""A user-mode Linux node in a lab's namespaces; one boot serves several tests."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from gateway.charon import datapath
from gateway.common.background import end
from lab.errors import LabError
from lab.nodes.base import Node
from lab.nodes.uml_network import outside
from lab.nodes.uml_program import NodeDownError
from lab.observe.capture import capture
from lab.runtime.kernels import boot, build_nodes
from lab.topology.planning.plan import Bridge, Cable, End, NodePlan, Plan, Route
from lab.waiting import wait_until
from tests.rigs.isolated import isolated

PCS = ("pc1", "pc2")
PLAN = Plan(
    "own-kernels", "",
    nodes=(
        NodePlan("router", "internet", bridges=(Bridge("lan", ("10.0.0.1/24", "fd00::1/64")),),
                 forwarding=True, nftables="add table ip own"),
        *(NodePlan(pc, "client", needs=("ppp",), loopback=(f"192.0.2.{n + 1}/32",),
                   routes=(Route("default", "10.0.0.1"), Route("default", "fd00::1")),
                   nameservers=("10.0.0.1",), hosts=(("10.0.0.1", ("router", "gate.way")),))
          for n, pc in enumerate(PCS)),
    ),
    links=tuple(
        Cable(End("router", f"p{n}", bridge="lan"),
             End(pc, "eth0", (f"10.0.0.{n + 2}/24", f"fd00::{n + 2}/64")), mtu=1400)
        for n, pc in enumerate(PCS)
    ),
    certificates=(), gateways=(), clients=(), steps=(),
)  # fmt: skip
World = dict[str, Node]
UPPER = """
import socketserver
class Upper(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline().upper())
socketserver.UnixStreamServer("/run/x.sock", Upper).serve_forever()
"""


def in_a_lab(test: Callable[[World], Awaitable[None]], logs: Path, *own: str) -> None:
    async def there() -> None:
        nodes = await build_nodes(PLAN, own, logs)
        await boot(nodes.values())
        await test(nodes)

    isolated(there)


def test_a_node_has_its_own_kernel_name_files_and_places(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        pc = world["pc1"]
        assert pc.kernel == f"user-mode Linux {(await pc.run(['uname', '-r'])).stdout.strip()}"
        assert pc.kernel != world["router"].kernel == f"Linux {os.uname().release}"
        assert (await pc.run(["hostname"])).stdout == "pc1\n"
        assert (await pc.run(["cat", "/etc/hostname"])).stdout == "pc1\n"
        assert (await pc.run(["getent", "hosts", "gate.way"])).stdout.split()[0] == "10.0.0.1"
        assert (await pc.run(["cat", "/etc/resolv.conf"])).stdout == "nameserver 10.0.0.1\n"
        assert (await pc.run(["ls", "-A", "/run", "/tmp", "/dev/shm"])).stdout.split() == [
            "/dev/shm:", "/run:", "/tmp:",
        ]  # fmt: skip
        assert (await pc.run(["ls", "/sys/class/net"])).stdout.split() == ["eth0", "lo"]
        with pytest.raises(LabError, match="has its own kernel"):
            pc.run_directory  # noqa: B018 (asking is the test)
        await _files(pc)
        await _kernel(pc)

    in_a_lab(test, tmp_path, "pc1")


async def _files(pc: Node) -> None:
    for path in ("/run/a/secret", "/tmp/secret", "/etc/ppp/secret", "/etc/hosts"):
        await pc.write(path, b"\0word" * 100_000, 0o600)
        assert await pc.read(path) == b"\0word" * 100_000
        assert (await pc.run(["stat", "-c", "%a", path])).stdout == "600\n"
        assert b"word" not in _outside(path)
    assert (await pc.run(["ls", "/etc/ssl/certs"])).code == 0
    assert (await pc.run(["touch", "/usr/x"])).code == 1
    with pytest.raises(ValueError, match="own"):
        await pc.write("/usr/bin/x", b"")
    with pytest.raises(FileNotFoundError, match="/run/nosuchfile"):
        await pc.read("/run/nosuchfile")


async def _kernel(pc: Node) -> None:
    """What the node is there for."""
    assert not (await pc.call(datapath.find)).userspace
    for device in ("/dev/ppp", "/dev/net/tun"):
        assert (await pc.run(["sh", "-c", f": <>{device}"])).code == 0
    peer = "head -c 1 >/dev/null"  # it ends once pppd has sent something, not before
    ppp = await pc.run(["pppd", "pty", peer, "noauth", "nodetach", "logfd", "1"])
    assert "Using interface ppp0" in ppp.stdout, ppp.output
    lacked = await pc.run(["modprobe", "-d", "/etc/p2slab", "vrf"])
    assert lacked.code == 0, lacked.output
    vrf = await pc.run(["ip", "link", "add", "v0", "type", "vrf", "table", "5"])
    assert vrf.code == 0, vrf.output


def test_programs_have_their_streams_code_signals_and_limits(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        pc = world["pc1"]
        done = await pc.run(["sh", "-c", "cat; echo $X >&2; exit 7"], input="hé", env={"X": "x"})
        assert (done.code, done.stdout, done.stderr) == (7, "hé", "x\n")
        assert (await pc.run(["sh", "-c", "kill -9 $$"])).code == -9
        much = "".join(f"{number}\n" for number in range(200_000))
        assert (await pc.run(["cat"], input=much)).stdout == much
        assert (await pc.run(["true"], input=much)).code == 0
        with pytest.raises(FileNotFoundError, match="nosuchprogram"):
            await pc.run(["nosuchprogram"])
        assert (await pc.run(["sh", "-c", "sleep 69 & echo up"])).stdout == "up\n"
        await wait_until("it runs", 30, partial(_sleeps, pc, 1))
        await pc.run(["pkill", "sleep"])
        await _limits(pc)
        await _spawned(pc, tmp_path)
        await _unheld(pc)

    in_a_lab(test, tmp_path, "pc1")


async def _limits(pc: Node) -> None:
    with pytest.raises(TimeoutError, match=r"pc1: sh did not end within 2 s; output: hello"):
        await pc.run(["sh", "-c", "echo hello; sleep 70 & sleep 71"], limit=2)
    assert await _sleepers(pc) == 0
    running = asyncio.create_task(pc.run(["sleep", "72"]))
    await wait_until("it runs", 30, partial(_sleeps, pc, 1))
    await end(running)
    assert await _sleepers(pc) == 0


async def _unheld(pc: Node) -> None:
    """A program runs on without a reference to spawn's result."""
    await pc.spawn(["tail", "-f", "/dev/null"], log="unheld")
    for _ in range(3):
        await pc.run(["sleep", "0.1"])  # the agent hears of it meanwhile
        gc.collect()
    assert (await pc.run(["pgrep", "-x", "tail"])).code == 0


async def _spawned(pc: Node, logs: Path) -> None:
    program = await pc.spawn(["sh", "-c", "echo up; exec sleep 73"], log="daemon")
    assert program.log == logs / "pc1" / "daemon.log"
    await wait_until("its word", 30, lambda: program.log.read_text() == "up\n")
    assert program.code is None
    program.signal(signal.SIGKILL)
    assert await program.wait() == program.code == -9
    program.signal(signal.SIGTERM)  # nothing happens
    stubborn = await pc.spawn(
        ["sh", "-c", "trap '' TERM; echo up; sleep 74 & sleep 75"], log="stubborn"
    )
    await wait_until("its word", 30, lambda: stubborn.log.read_text() == "up\n")
    assert await stubborn.stop(limit=0.2) == -9
    assert await _sleepers(pc) == 0
    script = "for n in 1 2 3 4 5 6 7 8 9; do echo o$n; echo e$n >&2; done; exit 4"
    last = await pc.spawn(["sh", "-c", script], log="last")
    both = [f"{stream}{number}" for number in range(1, 10) for stream in "oe"]
    assert (await last.wait(), last.log.read_text().split()) == (4, both)


def test_two_boot_concurrently_and_talk_to_each_other_and_to_a_namespace(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        for pc, others in (("pc1", ("10.0.0.1", "10.0.0.3", "fd00::3")), ("router", ("10.0.0.2",))):
            for other in others:
                done = await world[pc].run(["ping", "-c1", "-W2", "-M", "do", "-s1300", other])
                assert done.code == 0, f"{pc} {other}: {done.output}"
        assert (await world["pc1"].run(["ping", "-c1", "-W2", "192.0.2.1"])).code == 0
        too_large = await world["pc1"].run(["ping", "-c1", "-M", "do", "-s1373", "10.0.0.1"])
        assert "mtu=1400" in too_large.output.replace(" ", "")
        queue = await world["pc1"].run(["tc", "qdisc", "show", "dev", "eth0"])
        assert "netem" in queue.stdout
        assert "delay 2ms" in queue.stdout
        await _captured(world)
        await _sockets(world)

    in_a_lab(test, tmp_path, *PCS)


async def _captured(world: World) -> None:
    file = world["router"].run_directory / "seen.pcap"
    async with capture(world["pc1"], file):
        await world["pc2"].run(["ping", "-c1", "-W2", "-p", "5e7e", "10.0.0.2"])
    seen = await world["router"].run(["tcpdump", "-nr", "/run/seen.pcap", "icmp"])
    assert len([line for line in seen.stdout.splitlines() if "ICMP echo" in line]) == 2


async def _sockets(world: World) -> None:
    pc = world["pc1"]
    server = await pc.spawn(["python3", "-c", UPPER], log="unix")

    async def connected() -> socket.socket:
        return await pc.connect("/run/x.sock")

    with await wait_until("the Unix socket", 30, connected) as line:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(line, b"word\n")
        assert await loop.sock_recv(line, 100) == b"WORD\n"
        assert await loop.sock_recv(line, 100) == b""
    await server.stop()
    with pytest.raises(ConnectionRefusedError):
        await pc.connect("/run/x.sock")
    assert await pc.call(partial(os.getenv, "HOME")) == "/tmp"
    with pytest.raises(LabError, match="pc1: builtins:divmod: ZeroDivisionError"):
        await pc.wait_for(partial(divmod, 1, 0))


def test_a_reboot_leaves_no_program_and_no_file_and_the_network_works_again(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        pc = world["pc1"]
        await pc.write("/tmp/d/x", "x")
        await pc.write("/etc/resolv.conf", "nameserver 192.0.2.9\n")
        program = await pc.spawn(["sleep", "77"], log="x")
        mac = await pc.read("/sys/class/net/eth0/address")
        await pc.reboot()
        assert await program.wait() == -9
        assert await _sleepers(pc) == 0
        assert (await pc.run(["ls", "-A", "/run", "/tmp"])).stdout == "/run:\n\n/tmp:\n"
        assert (await pc.run(["cat", "/etc/resolv.conf"])).stdout == "nameserver 10.0.0.1\n"
        assert await pc.read("/sys/class/net/eth0/address") == mac
        assert (await world["router"].run(["ping", "-c1", "-W2", "10.0.0.2"])).code == 0
        await _killed(pc)

    in_a_lab(test, tmp_path, "pc1")


async def _killed(pc: Node) -> None:
    """If a kernel dies, its programs die; this is reported, and it can be started again."""
    program = await pc.spawn(["sleep", "78"], log="x")
    running = asyncio.ensure_future(pc.run(["sleep", "79"]))
    await wait_until("both run", 30, partial(_sleeps, pc, 2))
    await pc.run(
        ["sh", "-c", "echo 1 > /proc/sys/kernel/sysrq; sync; echo c > /proc/sysrq-trigger"]
    )
    assert await program.wait() == -9
    assert (await running).code == -9
    with pytest.raises(NodeDownError, match=r"(?s)pc1: its kernel is not running.*crash"):
        await pc.run(["true"])
    await pc.reboot()
    assert (await pc.run(["true"])).code == 0


def test_a_kernel_that_does_not_boot_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.nodes.uml_machine.MODULES", ("nosuchmodule",))

    async def test(_: World) -> None:
        raise AssertionError("it booted")

    async def there() -> None:
        nodes = await build_nodes(PLAN, ["pc1"], tmp_path)
        with pytest.raises(LabError, match=r"(?s)pc1: user-mode Linux ended.*no module nosuchmo"):
            await nodes["pc1"].boot()  # type: ignore[attr-defined]

    isolated(there)


def test_a_node_is_nothing_but_a_switch_outside() -> None:
    plan = outside(PLAN, ["pc1"])
    pc1, pc2 = plan.nodes[1], plan.nodes[2]
    assert (pc1.bridges, pc1.routes, pc1.loopback) == ((Bridge("switch0"),), (), ())
    assert pc2 == PLAN.nodes[2]
    assert plan.links[0].b == End("pc1", "eth0", (), "switch0")
    assert plan.links[1] == PLAN.links[1]


def _outside(path: str) -> bytes:
    """The file that other processes see."""
    file = Path(path)
    return file.read_bytes() if file.exists() else b""


async def _sleeps(pc: Node, number: int) -> bool:
    return await _sleepers(pc) == number


async def _sleepers(pc: Node) -> int:
    return len((await pc.run(["pgrep", "-x", "sleep"])).stdout.split())
