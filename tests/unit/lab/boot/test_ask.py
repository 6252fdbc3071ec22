from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.boot.ask import LAYERS, PIPE, require
from lab.errors import MachineError

CHECKOUT = Path(__file__).parents[4]
LAUNCHER = """
import os, time
from lab.boot import ask
ended = ask.run(lambda: {child})
print(ended.code, *sorted(ended.lacking), flush=True)
"""


def launcher(child: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", LAUNCHER.format(child=child)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
        env={**os.environ, LAYERS: "base runner core"},
    )


def test_what_a_verb_lacks_reaches_the_launcher() -> None:
    child = 'ask.require(["core", "sstp", "build"])'
    assert launcher(child).communicate(timeout=10)[0] == "0 build sstp\n"


def test_a_verb_that_lacks_nothing_goes_on_and_its_code_is_the_launchers() -> None:
    said = launcher('(ask.require(["core"]), os._exit(7))').communicate(timeout=10)[0]
    assert said == "7\n"


def test_the_launcher_does_not_wait_for_a_lab_that_outlives_the_verb() -> None:
    child = "(ask.require([]), os.fork() or time.sleep(10), os._exit(0))"
    process = launcher(child)
    assert process.stdout
    assert process.stdout.readline() == "0\n"
    process.stdout.close()
    process.wait()


def test_a_verb_killed_by_a_signal_ends_the_launcher_the_same_way() -> None:
    process = launcher("os.kill(os.getpid(), 15)")
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGTERM


def test_a_verb_dies_with_its_launcher() -> None:
    process = launcher("(print(os.getpid(), flush=True), time.sleep(60))")
    assert process.stdout
    child = os.pidfd_open(int(process.stdout.readline()))
    process.kill()
    process.communicate()
    assert select.select([child], [], [], 10)[0], "the verb still runs"
    os.close(child)


def test_without_a_launcher_the_command_is_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(LAYERS, "base runner core")
    monkeypatch.delenv(PIPE, raising=False)
    with pytest.raises(MachineError) as caught:
        require(["core", "directory"])
    assert caught.value.remedy == "./p2slab root make directory"
    require(["core"])
