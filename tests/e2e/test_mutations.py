"""`./p2slab test --mutations`: a test and a topology fail under their mutations, in a copy."""

from __future__ import annotations

import subprocess
from pathlib import Path

SOURCE = Path(__file__).parents[2]


def mutations(*rows: str) -> tuple[int, str, str]:
    done = subprocess.run(
        ["./p2slab", "test", "--mutations", *rows],
        cwd=SOURCE,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_test_and_a_topology_catch_their_mutations() -> None:
    code, told, _ = mutations("22", "97")
    assert (code, sorted(line.split()[:3] for line in told.splitlines())) == (
        0,
        [["2", "of", "2"], ["caught", "22", "failed:"], ["caught", "97", "refused"]],
    )


def test_what_is_no_row_is_told() -> None:
    words = "not a row: 200 (no statement that is shown); rows are as 42 or 60-71\n"
    assert mutations("200") == (2, "", words)
    assert mutations("a")[0] == 2
