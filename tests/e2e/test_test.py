"""The verb `test`: where it finds tests, and how it ends when interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2]
SLOW = """\
import os
import time
from pathlib import Path


def test_slow():
    try:
        Path("begun").touch()
        os.write(2, b"begun\\n")
        time.sleep(60)
    finally:
        time.sleep(0.5)  # as a lab that is taken down
        Path("ended").touch()
"""


def start(
    place: Path, *arguments: str, ignoring: tuple[signal.Signals, ...] = ()
) -> subprocess.Popen[str]:
    def ignore() -> None:
        for number in ignoring:
            signal.signal(number, signal.SIG_IGN)

    return subprocess.Popen(
        [sys.executable, "-P", "-m", "lab.cli.main", "test", *arguments],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        cwd=place,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=ignore,  # noqa: PLW1509 (this process has one thread)
    )


def test_a_test_that_is_interrupted_has_the_time_to_end(tmp_path: Path) -> None:
    (tmp_path / "test_slow.py").write_text(SLOW)
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = start(tmp_path, "-s", "-p", "no:cacheprovider", "test_slow.py")
        assert process.stderr
        assert next(line for line in process.stderr if "begun" in line)
        if number == signal.SIGINT:  # from a terminal, where everybody hears of it
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, out + err
        if number == signal.SIGINT:  # else it ends as any program that is told to
            assert (tmp_path / "ended").exists(), out + err


def test_arguments_that_name_no_file_are_for_the_checkouts_tests(tmp_path: Path) -> None:
    process = start(tmp_path, "--collect-only", "-q", "-k", "test_waiting", "-n", "0")
    out, err = process.communicate(timeout=60)
    assert "tests/unit/lab/test_waiting.py" in out, out + err
    assert process.returncode == 0


def test_no_file_of_the_current_directory_is_a_module(tmp_path: Path) -> None:
    """Neither for pytest nor for the processes beside it; Python itself would prefer them."""
    for name in ("click", "pluggy", "random"):
        (tmp_path / f"{name}.py").write_text('raise SystemExit("imported from here")')
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_one.py").write_text("import click, random\n\ndef test(): click.Path")
    for processes in ("0", "1"):
        process = start(tmp_path, "-n", processes, "-p", "no:cacheprovider", "tests/test_one.py")
        out, err = process.communicate(timeout=60)
        assert "1 passed" in out, out + err


def test_tests_started_in_the_background_or_by_nohup_send_signals_all_the_same(
    tmp_path: Path,
) -> None:
    """A shell without job control has them ignore SIGINT and SIGQUIT, nohup SIGHUP."""
    ignoring = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
    for processes in ("0", "1"):
        file = f"{SOURCE}/tests/unit/test_signals.py"
        process = start(SOURCE, "-q", "-n", processes, file, ignoring=ignoring)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err


def test_two_users_of_a_machine_have_directories_of_their_own(tmp_path: Path) -> None:
    """Both are root where the tests run, and share /tmp."""
    (tmp_path / "test_place.py").write_text("def test(tmp_path): print('at', tmp_path)")
    process = start(tmp_path, "-s", "-p", "no:cacheprovider", "test_place.py")
    out, err = process.communicate(timeout=60)
    user = Path("/proc/self/uid_map").read_text().split()[1]
    assert f"/pytest-of-p2slab-{user}/" in out, out + err
