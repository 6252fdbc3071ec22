"""What a person gets by TAB in a real shell with the printed script."""

from __future__ import annotations

import shlex
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.boot import completion, wire
from tests.rigs.shells import type_and_complete

SOURCE = Path(__file__).parents[4]

ANSWERS = """#!/bin/sh
printf '%s\\n' "$*" >> {asked}
[ "$1" = completion ] && case "$5" in al*) echo alice;; *) printf 'alice\\nbob\\n';; esac
"""


REAL = """\
import sys
from lab.boot import completion
from lab.boot.arguments import load_table
words, base, source = sys.argv[4:], sys.argv[1], sys.argv[2]
if words[:1] == ["completion"]:
    found = completion.answer(words[3:], load_table(source), base)
    sys.stdout.write("".join(f"{word}\\n" for word in found))
"""
"""A p2slab that completes names of the labs below a directory."""
MANY = [f"node-{number:03}-{'of-a-very-long-name' * 4}"[:80] for number in range(400)]


@contextmanager
def lab_of_many(base: Path) -> Iterator[None]:
    """A lab's control socket: the names that it tells take more than a plain message."""
    (base / "office").mkdir()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(base / "office/control"))
    listener.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if connection.recv(wire.LARGEST):
                    wire.send(connection, {"ok": {"nodes": MANY, "clients": MANY, "gateways": []}})

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


@pytest.mark.parametrize("shell", completion.SCRIPTS)
def test_a_name_of_very_many_is_completed(shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell} here")
    asked, program, script = tmp_path / "asked", tmp_path / "p2slab", tmp_path / "script"
    base = tmp_path / "labs"
    base.mkdir()
    words = shlex.join([sys.executable, "-P", "-c", REAL, str(base), str(SOURCE), "--"])
    program.write_text(
        f'#!/bin/sh\nprintf \'%s\\n\' "$*" >> {asked}\nPYTHONPATH={SOURCE} exec {words} "$@"\n'
    )
    program.chmod(0o755)
    script.write_text(completion.SCRIPTS[shell])
    with lab_of_many(base):
        type_and_complete(shell, script, "p2slab connect node-337", tmp_path)
        type_and_complete(shell, script, "p2slab exec node-001,node-338", tmp_path)
    said = asked.read_text().splitlines()
    assert said[:2] == ["completion answer -- connect node-337", f"connect {MANY[337]}"]
    assert said[-1] == f"exec node-001,{MANY[338]}"


@pytest.mark.parametrize("shell", completion.SCRIPTS)
def test_a_name_is_completed(shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell} here")
    asked, program, script = tmp_path / "asked", tmp_path / "p2slab", tmp_path / "script"
    program.write_text(ANSWERS.format(asked=asked))
    program.chmod(0o755)
    script.write_text(completion.SCRIPTS[shell])
    type_and_complete(shell, script, "p2slab connect al", tmp_path)
    said = asked.read_text().splitlines()
    assert said == ["completion answer -- connect al", "connect alice"]
