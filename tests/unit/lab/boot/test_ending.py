from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.boot import ending, preflight, users
from lab.boot.cache import Cache
from lab.boot.ending import machines_fault
from lab.boot.streams import READER_GONE
from lab.errors import MACHINE, OURS, MachineError

CHECKOUT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    "name", ["EPERM", "EACCES", "EFBIG", "EMFILE", "ENFILE", "ENOSPC", "EROFS"]
)
def test_what_the_machine_refuses_is_the_machines_fault_and_has_a_remedy(name: str) -> None:
    number = getattr(errno, name)
    error = machines_fault(OSError(number, os.strerror(number), "/some/file"))
    assert error
    assert error.code == MACHINE
    assert error.message == f"/some/file: {os.strerror(number)}"
    assert error.remedy


@pytest.mark.parametrize(
    ("mounting", "said"),
    [("mount proc on /proc", "a new /proc"), ("mount sysfs on /run/node/sys", "a new /sys")],
)
def test_a_file_system_that_a_container_hides_is_named_with_what_shows_it(
    mounting: str, said: str
) -> None:
    error = machines_fault(PermissionError(errno.EPERM, "Operation not permitted", mounting))
    assert error
    assert said in error.message
    assert "systempaths=unconfined" in (error.remedy or "")


def test_the_name_of_a_system_call_is_no_file_whose_owner_could_be_looked_at() -> None:
    error = machines_fault(PermissionError(errno.EPERM, "Operation not permitted", "setns 0x20"))
    assert error
    assert error.message == "setns 0x20: Operation not permitted"
    assert "ls -ld" not in (error.remedy or "")


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "ulimit -u"),
        (RuntimeError("can't start new thread"), "ulimit -u"),
        (MemoryError(), "free some memory"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_no_process_no_thread_and_no_memory_are_the_machines_fault(
    error: Exception, remedy: str
) -> None:
    found = machines_fault(error)
    assert found
    assert found.message
    assert remedy in (found.remedy or "")


@pytest.mark.parametrize("error", [OSError(errno.EBADF, "Bad file descriptor"), RuntimeError("x")])
def test_other_errors_are_ours(error: Exception) -> None:
    assert machines_fault(error) is None


def status(directory: Path, capabilities: int) -> str:
    (directory / "self").mkdir()
    (directory / "self" / "status").write_text(f"Name:\tsh\nCapEff:\t{capabilities:016x}\n")
    return str(directory)


@pytest.mark.parametrize(
    ("without", "lacking"),
    [(0, []), (1 << 12, ["NET_ADMIN"]), (1 << 12 | 1 << 21, ["NET_ADMIN", "SYS_ADMIN"])],
)
def test_the_capabilities_that_a_container_has_taken_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: int, lacking: list[str]
) -> None:
    proc = status(tmp_path, (1 << 41) - 1 & ~without)
    assert users.lacking_capabilities(proc) == lacking
    monkeypatch.setattr(ending, "lacking_capabilities", lambda: lacking)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    error = machines_fault(PermissionError(errno.EPERM, "Operation not permitted"))
    assert error
    assert all(name in error.message for name in lacking)
    assert ("--privileged" in (error.remedy or "")) is bool(lacking)


PROGRAM = """
import sys
sys.path.insert(0, {checkout!r})
from lab.boot.streams import prepare
prepare()
from lab.boot.ending import end_with
def work():
    {work}
    return 7
end_with(work)
"""


def ended(work: str, redirection: str = "") -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(checkout=str(CHECKOUT), work=work)
    return subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, program],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("work", "redirection", "code", "said"),
    [
        ("pass", "", 7, ""),
        ("print('x' * 100000)", ">/dev/full", MACHINE, "standard output cannot be written"),
        ("print('x')", ">/dev/full", MACHINE, "standard output cannot be written"),
        ("print('x' * 100000)", ">&-", 7, ""),
        ("sys.stderr.write('x')", "2>/dev/full", 7, ""),
        ("open('/dev/null'); print(open('/dev/null').fileno() > 2)", "<&-", 7, ""),
        ("raise KeyboardInterrupt", "", 130, "p2slab: interrupted"),
        ("raise OSError(24, 'Too many open files')", "", MACHINE, "ulimit -n"),
        ("raise KeyError('x')", "", OURS, "Please report it"),
    ],
)
def test_a_program_ends_with_one_message(work: str, redirection: str, code: int, said: str) -> None:
    done = ended(work, redirection)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert said or not done.stderr
    assert ("Traceback" in done.stderr) is (code == OURS)


def test_a_reader_that_has_gone_ends_it_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    program = PROGRAM.format(checkout=str(CHECKOUT), work="print('x' * 100000)")
    with subprocess.Popen([sys.executable, "-c", program], stdout=writing,
                          stderr=subprocess.PIPE) as done:  # fmt: skip
        os.close(writing)
        assert done.stderr
        assert done.stderr.read() == b""
    assert done.returncode == READER_GONE


def test_an_unknown_architecture_and_a_bin_of_its_own_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(os.path, "islink", lambda path: path != "/bin")
        with pytest.raises(MachineError, match="/bin is a directory") as caught:
            preflight.refuse_machine(cache, 0, for_lab=False)
        assert "usrmerge" in (caught.value.remedy or "")
    monkeypatch.setattr(preflight, "ARCHITECTURES", ("vax",))
    with pytest.raises(MachineError, match="labs run on vax only"):
        preflight.refuse_machine(cache, 0, for_lab=False)


def test_a_proxy_without_a_listener_is_reported_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    with pytest.raises(MachineError, match=r"127\.0\.0\.1: Connection refused") as caught:
        preflight.refuse_machine(Cache(str(tmp_path)), 0, for_lab=False)
    assert "http_proxy" in (caught.value.remedy or "")


def test_apparmors_restriction_is_named_with_a_sysctl_and_a_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p2slab").touch()
    monkeypatch.setattr(users, "HERE", str(tmp_path))
    setting = tmp_path / "sys/kernel/apparmor_restrict_unprivileged_userns"
    setting.parent.mkdir(parents=True)
    setting.write_text("1\n")
    meaning, remedy = users.why_no_namespace(root=False, proc=str(tmp_path))
    assert "apparmor_restrict_unprivileged_userns is 1" in meaning
    assert "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" in remedy
    assert f'profile p2slab "{tmp_path}/p2slab" flags=(unconfined) {{ userns, }}' in remedy
    assert "sudo apparmor_parser -r /etc/apparmor.d/p2slab" in remedy
