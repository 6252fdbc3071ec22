"""User-mode Linux and PPP are detected by trying them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from gateway.common import calls, compiled
from lab.kernel import ppp, uml
from tests.rigs.isolated import isolated

STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wcast-qual", "-Werror")


def test_user_mode_linux_boots_here_and_leaves_nothing() -> None:
    def there() -> None:
        calls.mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777")
        uml.try_boot()
        assert list(Path("/dev/shm").iterdir()) == []

    isolated(there)


@pytest.mark.parametrize("room", [512 + 64, 65536])
def test_registers_are_set_by_whoever_knows_a_part_of_them(room: int, tmp_path: Path) -> None:
    """The machine's kernel takes the whole area only, which grows with each processor."""
    library = compiled.build(uml.REGISTERS, tmp_path, (*uml.FLAGS, *STRICT))
    code = textwrap.dedent(f"""
        import ctypes, os, signal
        libc = ctypes.CDLL(None, use_errno=True)
        class Iovec(ctypes.Structure):
            _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
        child = os.fork()
        if not child:
            libc.ptrace(0, 0, None, None)
            os.kill(os.getpid(), signal.SIGSTOP)
            os._exit(7)
        os.waitpid(child, 0)
        for request in (0x4204, 0x4205):
            memory = memory if request == 0x4205 else ctypes.create_string_buffer({room})
            iovec = Iovec(ctypes.addressof(memory), iovec.length if request == 0x4205 else {room})
            if libc.ptrace(request, child, ctypes.c_void_p(0x202), ctypes.byref(iovec)):
                os.kill(child, signal.SIGKILL)
                raise OSError(ctypes.get_errno(), hex(request))
        libc.ptrace(7, child, None, None)
        raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    argv = [sys.executable, "-c", code]
    known = subprocess.run(argv, env={"LD_PRELOAD": str(library)}, check=False)
    assert known.returncode == 7
    unknown = subprocess.run(argv, check=False, stderr=subprocess.DEVNULL)
    assert unknown.returncode == (7 if room == 65536 else 1)


def test_a_processor_with_more_registers_needs_a_compiler(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(uml, "LARGER_REGISTERS", ("fpu",))
    assert set(uml.environment(tmp_path)) == {"TMPDIR", "LD_PRELOAD"}
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(OSError, match=r"fpu needs registers\.c: no C compiler"):
        uml.environment(tmp_path / "new")
    monkeypatch.setattr(uml, "LARGER_REGISTERS", ())
    assert set(uml.environment(tmp_path / "new")) == {"TMPDIR"}


def test_a_kernel_that_does_not_come_to_its_first_program_is_quoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(uml, "TRIAL", (*uml.TRIAL[:-1], "init=/nosuchprogram"))
    with pytest.raises(OSError, match=r"Kernel panic.* init"):
        uml.try_boot()


def test_a_kernel_program_that_does_not_exist_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uml, "COMMAND", ("sh", "-c", "echo no such kernel; exit 127", "sh"))
    with pytest.raises(OSError, match="no such kernel"):
        uml.try_boot()


def test_ppp_wants_the_device_and_the_line_discipline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ppp, "DEVICE", "/dev/nosuchdevice")
    with pytest.raises(OSError, match="nosuchdevice"):
        ppp.open_ppp()
    monkeypatch.setattr(ppp, "DEVICE", os.devnull)
    monkeypatch.setattr(ppp, "N_PPP", 29)  # no line discipline has this number
    with pytest.raises(OSError, match="PPP on a terminal"):
        ppp.open_ppp()
