"""The transcripts in docs/operating.md: their commands are run, and what they say is compared by
`p2slab test tests/e2e/test_operating.py`, which writes the answers of one that has none.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from lab.runtime.directory import BASE

SOURCE = Path(__file__).parents[2]
PAGE = SOURCE / "docs/operating.md"
BLOCK = re.compile(r"(?<=```text\n)\$ p2slab up .*?(?=```)", re.DOTALL)
_PROGRESS = re.compile(r"^ +[0-9.]+ s  .*\n", re.MULTILINE)
"""Lines that a terminal overwrites."""
_ALONE = f"""
import os, sys
from gateway.common import calls
os.makedirs({str(BASE)!r}, 0o700, exist_ok=True)
calls.unshare(calls.NEWNS)
calls.mount("none", "/", "", calls.MS_REC | calls.MS_PRIVATE)
calls.mount("labs", {str(BASE)!r}, "tmpfs", 0, "mode=700,size=" + sys.argv[2])
os.execvp("bash", ["bash", "-c", sys.argv[1]])
"""
"""A program with a run directory of its own: it sees no other labs of the machine."""
_VARYING = {
    r"\d+-\d+-\d+T[\d:.+]+": "TIME",
    r"\b\d+:\d+:\d+(\.\d+)?": "TIME",
    r" +[\d.]+ s\b": " SECONDS",
    r'(?<=publicPort=")\d+': "PORT",
    r"(?<=192\.0\.2\.2:)\d+": "PORT",
    r"azuregateway-[0-9a-f-]+": "azuregateway-ID",
    r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b": "ID",
    r"\b[0-9A-F]{8,40}(\b|…)": "THUMBPRINT",
    r"kernel-libipsec|kernel ESP": "ESP",
    r"(?<=172\.16\.201\.1 on )\w+": "DEVICE",
    r"; the machine was busy.*": "",
    # A busy machine's first attempt may come before the device listens.
    r"(?m)^.* tunnel NotConnected .*\n": "",
}


def commands(block: str) -> list[str]:
    """The lines that a person types."""
    return [line[2:] for line in block.splitlines() if line.startswith("$ ")]


def run(lines: list[str], size: str = "50%") -> str:
    """The transcript of these commands, one after the other, on a machine without other labs, whose
    run directories are on a disk of this size (of tmpfs)."""
    program = shlex.join([sys.executable, "-P", "-m", "lab.cli.main"])
    said = "\n".join(f"printf '%s\\n' {shlex.quote(f'$ {line}')}\n{line} 2>&1" for line in lines)
    script = f'p2slab() {{ {program} "$@"; }}\n{said}\n'
    done = subprocess.run(
        [sys.executable, "-P", "-c", _ALONE, script, size],
        cwd=SOURCE,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "COLUMNS": "100", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert not done.stderr, done.stderr
    return _PROGRESS.sub("", done.stdout)


def bare(transcript: str) -> str:
    """Without what differs from run to run."""
    for pattern, word in _VARYING.items():
        transcript = re.sub(pattern, word, transcript)
    return transcript
