"""A real shell on a terminal: what a line becomes when a person types it and presses TAB."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import signal
import time
from pathlib import Path

LIMIT = 30.0
"""Seconds for a shell to say what is waited for."""
READY, DONE = "ready-to-type", "done-it"
STARTS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "{source}"),
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -u -D; {source}"),
    "fish": (["fish", "--no-config", "-i"], "{source}"),
}
"""How each is started without its user's settings, and made to read the script."""
_TERMINAL = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>()][0-9AB]?)|[\r\x07]")


def type_and_complete(shell: str, script: Path, line: str, programs: Path) -> None:
    """Type a line, TAB and Return, with the programs of this directory first in PATH; returns when
    the line was carried out. TimeoutError with what the shell said."""
    argv, source = STARTS[shell]
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"PATH": f"{programs}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "> ",
                       "HOME": str(programs), "XDG_DATA_HOME": str(programs)}  # fmt: skip
        os.execvp(argv[0], argv)
    try:
        begin = source.format(source=f"source {shlex.quote(str(script))}")
        _type(terminal, f"{begin}; echo {READY[:5]}''{READY[5:]}\n")
        _until(terminal, READY)
        _type(terminal, f"{line}\t; echo {DONE[:2]}''{DONE[2:]}\n")
        _until(terminal, DONE)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def _type(terminal: int, text: str) -> None:
    os.write(terminal, text.encode())


def _until(terminal: int, words: str) -> str:
    said, deadline = "", time.monotonic() + LIMIT
    while words not in _TERMINAL.sub("", said):
        if not select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError(f"no {words!r} within {LIMIT:g} s; it said {said!r}")
        said += os.read(terminal, 65536).decode(errors="replace")
    return _TERMINAL.sub("", said)
