"""`exec` and `shell` are native: terminal, job control, signals, pipes and exit codes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.runtime.handle import Handle
from lab.waiting import wait_until
from tests.rigs import node_shells
from tests.rigs.patience import PATIENCE
from tests.rigs.terminal import Terminal

SOURCE = Path(__file__).parents[2]
LAB = "exec-test"
ENV = {**os.environ, "PYTHONPATH": str(SOURCE)}
P2SLAB = [sys.executable, "-m", "lab.cli.main"]
EXEC = [*P2SLAB, "exec", "--name", LAB]


@pytest.fixture(scope="module")
def lab() -> Iterator[Handle]:
    up = [sys.executable, "-m", "tests.rigs.small_lab", LAB, "up"]
    subprocess.run(up, env=ENV, cwd=SOURCE, check=True, capture_output=True, timeout=PATIENCE)
    handle = Handle.open(LAB)
    yield handle
    handle.down()


def run(*argv: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        argv, check=False, input=stdin, env=ENV, cwd=SOURCE, capture_output=True, timeout=PATIENCE
    )


def begin(*argv: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, env=ENV, cwd=SOURCE, stdout=subprocess.PIPE)


async def sleepers(lab: Handle, seconds: str) -> int:
    return len(lab.exec("pc1", ["pgrep", "-r", "R,S,T", "-fx", f"sleep {seconds}"]).stdout.split())


def test_a_program_runs_in_the_node_with_its_pipes_and_code(lab: Handle) -> None:
    script = "hostname; cat; ip -br addr show dev eth0; echo complaint >&2; exit 7"
    done = run(*EXEC, "pc1", "sh", "-c", script, stdin=b"x" * 300_000)
    assert done.returncode == 7
    assert done.stdout.startswith(b"pc1\n" + b"x" * 300_000)
    assert b"10.0.0.2/24" in done.stdout
    assert done.stderr == b"complaint\n"


def test_a_program_has_the_limits_of_the_nodes_others(lab: Handle) -> None:
    for node in ("pc1", "router"):
        bounds = ["grep", "-h", "CapBnd", "/proc/self/status"]
        assert run(*EXEC, node, *bounds).stdout.decode() == lab.exec(node, bounds).stdout
    cache = os.environ["P2SLAB_CACHE"]
    tried = run(*EXEC, "pc2", sys.executable, "-m", "tests.rigs.intruder", cache, str(SOURCE))
    rows = [json.loads(line) for line in tried.stdout.splitlines()]
    assert len(rows) > 20
    assert {name for name, what, _ in rows if what} <= {"see processes of others"}  # pc2 has some


def test_options_after_the_node_are_the_program_s(lab: Handle) -> None:
    assert run(*EXEC, "pc1", "echo", "--name", "-h", "--", "x").stdout == b"--name -h -- x\n"


def test_only_the_node_s_files_network_and_processes_are_seen(lab: Handle) -> None:
    done = run(*EXEC, "pc1", "sh", "-c", "pwd; ls -A /tmp /run; cat /proc/*/comm")
    assert done.stdout.startswith(b"/\n/run:\n\n/tmp:\n")
    own = {"cat", "sh", "sleep", "iperf3", ""}
    assert set(done.stdout.decode().split("\n")[4:]) == own


def test_a_program_has_no_descriptor_that_leads_out_of_the_node(lab: Handle) -> None:
    way_out = os.open(SOURCE, os.O_PATH)  # the launcher's hold on the private root is one
    listing = [*EXEC, "pc1", "ls", "/proc/self/fd"]
    done = subprocess.run(
        listing, check=False, env=ENV, cwd=SOURCE, capture_output=True, pass_fds=[way_out]
    )
    os.close(way_out)
    assert done.stdout.split() == [b"0", b"1", b"2", b"3"], "3 is the directory that ls reads"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_program_s_death_by_a_signal_is_the_command_s(lab: Handle, number: int) -> None:
    assert run(*EXEC, "pc1", "sh", "-c", f"kill -{int(number)} $$").returncode == -number


def test_a_reader_that_goes_ends_the_program_as_in_any_pipe(lab: Handle) -> None:
    with begin(*EXEC, "pc1", "yes") as command:
        assert command.stdout
        assert command.stdout.readline() == b"y\n"
        command.stdout.close()
        assert command.wait(PATIENCE) == -signal.SIGPIPE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_to_the_command_reaches_the_program(lab: Handle, number: int) -> None:
    with begin(*EXEC, "pc1", "sleep", "1111") as command:
        await wait_until("the program", PATIENCE, lambda: sleepers(lab, "1111"))
        command.send_signal(number)
        assert command.wait(PATIENCE) == -number
    assert await sleepers(lab, "1111") == 0


async def test_a_killed_command_takes_its_program_along(lab: Handle) -> None:
    with begin(*EXEC, "pc1", "sleep", "1112") as command:
        await wait_until("the program", PATIENCE, lambda: sleepers(lab, "1112"))
        command.kill()
        command.wait(PATIENCE)

    async def gone() -> bool:
        return not await sleepers(lab, "1112")

    await wait_until("the program is gone", PATIENCE, gone)


def test_a_missing_program_is_reported_as_a_shell_would(lab: Handle) -> None:
    done = run(*EXEC, "pc1", "nosuchprogram")
    assert done.returncode == 127
    assert done.stderr == b"p2slab: nosuchprogram: not found in the node\n"
    assert run(*EXEC, "pc1", "/etc/hosts").returncode == 126


def test_an_unknown_node_is_reported_with_the_known_ones(lab: Handle) -> None:
    done = run(*EXEC, "Routr", "true")
    assert b"no node 'Routr'\n  try: did you mean 'router'?" in done.stderr
    done = run(*EXEC, "alice", "true")
    assert done.returncode == 2
    assert b"no node 'alice'\n  try: there are pc1, pc2, pc3 and router" in done.stderr


def test_case_makes_no_difference_on_the_command_line(lab: Handle) -> None:
    done = run(*P2SLAB, "exec", "--name", LAB.upper(), "PC1", "hostname")
    assert (done.returncode, done.stdout) == (0, b"pc1\n"), done.stderr


def test_an_unknown_lab_is_reported_with_the_known_ones(lab: Handle) -> None:
    done = run(*P2SLAB, "shell", "--name", "nosuchlab", "pc1")
    assert done.returncode == 2
    assert LAB.encode() in done.stderr


def test_the_terminal_is_the_program_s(lab: Handle) -> None:
    script = "test -t 0 && test -t 1 && stty size < /dev/tty && ls /dev/pts && cat"
    with Terminal([*EXEC, "pc1", "sh", "-c", script], ENV) as term:
        term.expect(r"\d+ \d+\r\nptmx\r\n")  # and no other terminal of the machine's
        term.type("a line\n")
        term.expect("a line\r\na line\r\n")
        term.type("\x04")
        assert term.wait() == 0


def test_interrupt_from_the_keyboard_ends_the_program(lab: Handle) -> None:
    with Terminal([*EXEC, "pc1", "sh", "-c", "echo go; exec sleep 1113"], ENV) as term:
        term.expect("go")
        term.type("\x03")
        assert term.wait() == -signal.SIGINT


def test_a_program_that_takes_an_interrupt_lives_on(lab: Handle) -> None:
    script = "trap 'echo taken' INT; echo go; while ! read line; do :; done; echo $line; exit 5"
    with Terminal([*EXEC, "pc1", "bash", "-c", script], ENV) as term:
        term.expect("go")
        term.type("\x03")
        term.expect("taken")
        term.type("after\n")
        term.expect("after\r\nafter\r\n")
        assert term.wait() == 5


def test_stop_and_continue_from_the_caller_s_shell(lab: Handle) -> None:
    script = "trap 'echo going' CONT; echo go; while :; do sleep 0.05; done"
    with Terminal(["bash", "--norc", "-i"], {**ENV, "PS1": "outer> "}) as term:
        term.expect("outer> ")
        term.type(f"{' '.join(EXEC)} pc1 bash -c {shlex.quote(script)}\n")
        term.expect(r"\ngo")
        for _ in range(3):
            term.type("\x1a")
            term.expect(r"Stopped.*\n.*outer> ")
            term.type("fg\n")
            term.expect(r"\ngoing")
        term.type("\x03")
        term.expect("outer> ")
        term.type("echo code $?; exit\n")
        term.expect("code 130")


async def test_continuing_the_command_alone_continues_the_program(lab: Handle) -> None:
    with begin(*EXEC, "pc1", "sleep", "1114") as command:
        await wait_until("the program", PATIENCE, lambda: sleepers(lab, "1114"))
        lab.exec("pc1", ["pkill", "-STOP", "-fx", "sleep 1114"])
        await wait_until("both stopped", PATIENCE, lambda: state(command.pid) == "T")
        command.send_signal(signal.SIGCONT)

        def runs() -> bool:
            return lab.exec("pc1", ["pgrep", "-r", "S", "-fx", "sleep 1114"]).code == 0

        await wait_until("both go on", PATIENCE, runs)
        command.terminate()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_shell_in_a_node_has_job_control_of_its_own(lab: Handle) -> None:
    node_shells.controls_its_jobs(lab, "pc2", ENV)


async def test_a_closed_terminal_ends_the_shell(lab: Handle) -> None:
    await node_shells.ends_with_its_terminal(lab, "pc2", ENV)


def test_status_tells_of_the_lab(lab: Handle) -> None:
    done = run(*P2SLAB, "status")
    line = next(line for line in done.stdout.decode().splitlines() if line.startswith(LAB))
    assert "ready" in line
    assert "4 nodes" in line
