from __future__ import annotations

import signal
import subprocess
import sys

import pytest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM])
def test_a_program_that_a_test_starts_ignores_no_signal(number: signal.Signals) -> None:
    """However pytest itself was started: tests/e2e/test_test.py starts it in several ways."""
    code = f"import signal; print(signal.getsignal({int(number)}) == signal.SIG_IGN)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert told.stdout == "False\n"
