"""The ends of logs in a report: few lines of each program, and no secret."""

from __future__ import annotations

import json
from pathlib import Path

from lab.report.secrets import HIDDEN, Secrets
from lab.report.tail import EACH, LONGEST, MOST, tail
from lab.runtime.journal import NAME

SECRET = "key between both"


def journal(directory: Path, *rows: tuple[float, str, str, str]) -> Path:
    (directory / NAME).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return directory


def test_the_last_lines_of_each_program_are_kept(tmp_path: Path) -> None:
    programs = (("bob", "charon"), ("alice", "charon"), ("alice", "ike"))
    rows = [
        (float(n), node, program, f"line {n}")
        for n in range(EACH + 5)
        for node, program in programs
    ]
    found = tail(journal(tmp_path, *rows), Secrets())
    assert [line[1:3] for line in found[::EACH]] == sorted(programs)
    assert [line.text for line in found[:EACH]] == [f"line {n}" for n in range(5, EACH + 5)]


def test_many_programs_and_long_lines_are_bounded(tmp_path: Path) -> None:
    rows = [(0.0, f"node{n}", "program", "x" * 3000) for n in range(200) for _ in range(EACH)]
    found = tail(journal(tmp_path, *rows), Secrets())
    assert len({line.node for line in found}) == 200
    assert len(found) <= MOST
    assert max(len(line.text) for line in found) == LONGEST


def test_a_secret_is_hidden_also_where_a_line_is_cut(tmp_path: Path) -> None:
    before = "x" * (LONGEST - len(SECRET) // 2)
    (line,) = tail(
        journal(tmp_path, (0.0, "a", "b", before + SECRET)), Secrets({"sharedKey": SECRET})
    )
    assert "key" not in line.text
    assert line.text == (before + HIDDEN)[:LONGEST]


def test_logs_that_are_gone_are_none(tmp_path: Path) -> None:
    assert tail(tmp_path / "nowhere", Secrets()) == []
