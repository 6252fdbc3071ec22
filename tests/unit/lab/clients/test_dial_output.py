"""The output of a dial in a log that is kept small."""

from __future__ import annotations

from pathlib import Path

from lab.clients.dial_output import FIRST, DialOutput


def test_of_earlier_dials_there_is_nothing(tmp_path: Path) -> None:
    dial = DialOutput()
    assert dial() == ""
    dial.log = tmp_path / "sstp.log"
    dial.log.write_text(f"{DialOutput().mark}\nup\n")
    assert dial() == ""
    dial.log.write_text(f"{DialOutput().mark}\nup\n{dial.mark}\nno\n")
    assert dial() == "no\n"


def test_how_it_began_outlives_its_mark(tmp_path: Path) -> None:
    dial = DialOutput()
    dial.log = tmp_path / "sstp.log"
    dial.log.write_text(f"{dial.mark}\nup\nhal")
    assert dial() == "up\nhal"
    dial.log.write_text("f a line\nended\n")  # rotated twice since
    assert dial() == "up\nended\n"


def test_of_its_beginning_a_bounded_part_is_remembered(tmp_path: Path) -> None:
    dial = DialOutput()
    dial.log = tmp_path / "sstp.log"
    dial.log.write_text(f"{dial.mark}\nup\n" + "a\n" * FIRST)
    assert len(dial()) > FIRST
    dial.log.write_text("rest\nended\n")
    assert len(dial()) <= FIRST + len("ended\n")
