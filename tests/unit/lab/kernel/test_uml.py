"""Whether user-mode Linux and PPP are there is tried, not guessed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.common import calls
from lab.kernel import ppp, uml
from tests.rigs.isolated import isolated


def test_user_mode_linux_boots_here_and_leaves_nothing() -> None:
    def there() -> None:
        calls.mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777")
        uml.try_boot()
        assert list(Path("/dev/shm").iterdir()) == []

    isolated(there)


def test_a_kernel_that_does_not_come_to_its_first_program_is_quoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(uml, "TRIAL", (*uml.TRIAL[:-1], "init=/nosuchprogram"))
    with pytest.raises(OSError, match=r"Kernel panic.* init"):
        uml.try_boot()


def test_a_kernel_program_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
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
