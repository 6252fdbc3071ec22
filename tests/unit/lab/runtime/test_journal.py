"""The journal: lines of logs by time, whatever programs do to their files."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.common.rotation import rotate
from lab.runtime import journal as module
from lab.runtime.journal import Journal, Reader


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    return tmp_path / "log"


@pytest.fixture
def journal(logs: Path) -> Iterator[Journal]:
    journal = Journal(logs)
    journal.open()
    yield journal
    os.close(journal.fileno())


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(text)


def texts(reader: Reader) -> list[str]:
    return [f"{line.node} {line.program} {line.text}" for line in reader.new()]


def test_lines_come_in_the_order_in_which_they_were_written(logs: Path, journal: Journal) -> None:
    (logs / "alice").mkdir()
    (logs / "gw").mkdir()
    journal.collect()
    for number in range(3):
        write(logs / "gw/charon.log", f"{number}\n")
        journal.collect()
        write(logs / "alice/openvpn.log", f"{number}\n")
        journal.collect()
    reader = Reader(logs)
    assert texts(reader) == [
        f"{where} {number}" for number in range(3) for where in ("gw charon", "alice openvpn")
    ]
    assert texts(reader) == []


def test_what_was_there_before_is_in_it_and_so_are_directories_made_later(
    logs: Path, journal: Journal
) -> None:
    write(logs / "alice/charon.log", "first\n")
    journal.collect()
    write(logs / "alice/charon.log", "second\n")
    write(logs / "alice/other.txt", "not a log\n")
    write(logs / "supervisor.log", "nobody's\n")
    journal.collect()
    assert texts(Reader(logs)) == ["alice charon first", "alice charon second"]


def test_a_readable_descriptor_says_that_there_is_something(logs: Path, journal: Journal) -> None:
    assert not select.select([journal], [], [], 0)[0]
    (logs / "alice").mkdir()
    assert select.select([journal], [], [], 0)[0]


def test_a_line_is_written_when_it_has_ended(logs: Path, journal: Journal) -> None:
    write(logs / "alice/charon.log", "half")
    journal.collect()
    reader = Reader(logs)
    assert texts(reader) == []
    write(logs / "alice/charon.log", " and half\r\n\n")
    journal.collect()
    assert texts(reader) == ["alice charon half and half"]


def test_a_long_line_and_bytes_that_are_no_text_do_no_harm(logs: Path, journal: Journal) -> None:
    path = logs / "alice/charon.log"
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe" + b"x" * 100_000 + b"\nnext\n")
    journal.collect()
    first, second = (line.text for line in Reader(logs).new())
    assert len(first) == module.LONGEST_LINE
    assert second == "next"


def test_logs_of_a_node_s_own_are_collected(logs: Path, journal: Journal, tmp_path: Path) -> None:
    run = tmp_path / "run"
    write(run / "squid/access.log", "GET\n")
    write(run / "gateway/ikev2/charon.log", "IKE\n")
    journal.follow("gw", run)
    write(run / "gateway/openvpn/openvpn.log", "TLS\n")
    write(run / "gateway/openvpn/deep/er/x.log", "too deep\n")
    journal.collect()
    assert sorted(texts(Reader(logs))) == ["gw charon IKE", "gw openvpn TLS", "gw squid GET"]


def test_links_and_pipes_that_a_program_prepares_are_not_read(
    logs: Path, journal: Journal, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.log"
    secret.write_text("secret\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.log").write_text("secret\n")
    run = tmp_path / "run"
    run.mkdir()
    (run / "a.log").symlink_to(secret)
    (run / "b").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(run / "c.log")
    journal.follow("gw", run)
    (run / "d.log").symlink_to(secret)
    journal.collect()
    assert texts(Reader(logs)) == []


def test_a_log_that_is_rotated_and_one_that_is_removed_go_on(logs: Path, journal: Journal) -> None:
    path = logs / "alice/charon.log"
    write(path, "before\n")
    journal.collect()
    rotate(path, 0)
    write(path, "after\n")
    journal.collect()
    path.unlink()
    journal.collect()
    write(path, "anew\n")
    journal.collect()
    assert [line.text for line in Reader(logs).new()] == ["before", "after", "anew"]


@pytest.mark.parametrize("rotations", [1, 2])
def test_a_reader_follows_a_journal_that_is_rotated(
    rotations: int, logs: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = logs / "alice/charon.log"
    write(path, "1\n")
    journal.collect()
    reader, later = Reader(logs), Reader(logs, from_now=True)
    assert texts(reader) == ["alice charon 1"]
    write(path, "2\n")
    journal.collect()
    monkeypatch.setattr(module, "LIMIT", 60)
    numbers = ["2"]
    for number in "34"[:rotations]:
        write(path, f"{number}\n")
        journal.collect()
        numbers.append(number)
    wanted = [f"alice charon {number}" for number in numbers]
    assert texts(reader) == texts(later) == wanted
    kept = wanted[-2:] if rotations == 2 else ["alice charon 1", *wanted]
    assert texts(Reader(logs)) == kept
    assert texts(reader) == []
    write(path, "5\n")
    journal.collect()
    assert texts(reader) == texts(later) == ["alice charon 5"]
    reader.close()
    later.close()


def test_the_journal_is_of_bounded_size(
    logs: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMIT", 1000)
    for number in range(100):
        write(logs / "alice/charon.log", "".join(f"{number}-{part}\n" for part in range(10)))
        journal.collect()
    sizes = [(logs / name).stat().st_size for name in (module.NAME, module.OLD)]
    assert max(sizes) <= 1000
    assert sizes[1] > 900
    found = texts(Reader(logs))
    written = [f"alice charon {number}-{part}" for number in range(100) for part in range(10)]
    assert found == written[-len(found) :]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("".join(f"{n:07}\n" for n in range(1000)), [f"{n:07}" for n in range(988, 1000)]),
        ("".join(f"{n}\n" for n in range(30)), [f"{n}" for n in range(10, 30)]),
        ("x" * 10_000 + "\nlast\n", ["last"]),
        ("x" * 10_000, []),
    ],
)
def test_of_a_burst_the_newest_lines_are_kept_and_it_is_said(
    text: str,
    wanted: list[str],
    logs: Path,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    monkeypatch.setattr(module, "MOST_LINES", 20)
    write(logs / "alice/charon.log", text)
    journal.collect()
    note, *lines = (line.text for line in Reader(logs).new())
    assert "came too fast" in note
    assert lines == wanted
    write(logs / "alice/charon.log", "\nnext\n")
    journal.collect()
    assert [line.text for line in Reader(logs).new()][-1] == "next"


def test_lines_of_a_time_of_a_node_and_of_a_program_are_chosen(
    logs: Path, journal: Journal
) -> None:
    for node, program in (("alice", "charon"), ("alice", "sstp"), ("gw", "charon")):
        write(logs / f"{node}/{program}.log", f'", "{node}", "charon", "\n')
        journal.collect()
    lines = list(Reader(logs).new())
    assert list(Reader(logs).new(node="alice")) == lines[:2]
    assert list(Reader(logs).new(node="alice", program="charon")) == lines[:1]
    assert list(Reader(logs).new(since=lines[1].time)) == lines[1:]


def test_a_reader_that_begins_during_a_rotation_misses_nothing(
    logs: Path, journal: Journal
) -> None:
    path = logs / "alice/charon.log"
    write(path, "1\n")
    journal.collect()
    (logs / module.NAME).replace(logs / module.OLD)
    reader, later = Reader(logs), Reader(logs, from_now=True)
    assert texts(reader) == ["alice charon 1"]
    assert texts(later) == []
    journal._open()
    write(path, "2\n")
    journal.collect()
    assert texts(reader) == texts(later) == ["alice charon 2"]


def test_a_journal_that_is_gone_has_no_more_lines(logs: Path, journal: Journal) -> None:
    reader = Reader(logs)
    (logs / module.NAME).unlink()
    assert texts(reader) == []


def test_only_so_many_directories_are_watched(
    logs: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PLACES", 2)
    for name in ("a", "b", "c"):
        write(logs / name / "x.log", "x\n")
        journal.collect()
    assert texts(Reader(logs)) == ["a x x"]
