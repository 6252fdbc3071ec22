"""Logs of bounded size, and places in them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from gateway.common import rotation
from gateway.common.files import tail
from gateway.common.waiting import wait_until


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "daemon.log"


def append(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_a_writer_keeps_writing_to_the_same_file(log: Path) -> None:
    writer = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(writer, b"x" * 50)
    assert rotation.rotate(log, 49)
    os.write(writer, b"next")
    os.close(writer)
    assert log.read_text() == "next"
    assert rotation.whole(log) == "x" * 50 + "next"
    assert (log.parent / "daemon.log.old").stat().st_mode & 0o777 == 0o600


def test_one_older_part_is_kept(log: Path) -> None:
    for text in ("first", "second", "third"):
        append(log, text)
        assert rotation.rotate(log, 3)
    assert rotation.whole(log) == "third"
    assert sorted(p.name for p in log.parent.iterdir()) == ["daemon.log", "daemon.log.old"]


def test_a_small_one_and_a_missing_one_are_left_alone(log: Path) -> None:
    assert not rotation.rotate(log, 3)
    append(log, "abc")
    assert not rotation.rotate(log, 3)
    assert rotation.whole(log) == "abc"


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_log_is_truncated_even_on_a_full_disk(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.common.rotation._keep", full)
    append(log, "abc")
    assert rotation.rotate(log, 2)
    assert rotation.whole(log) == ""


def test_a_link_is_not_followed(log: Path) -> None:
    victim = log.parent / "victim"
    victim.write_text("precious")
    log.symlink_to(victim)
    assert not rotation.rotate(log, 1)
    assert victim.read_text() == "precious"


def test_of_a_burst_the_end_is_kept_and_read(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.common.rotation.MOST", 10)
    append(log, "before the burst ")
    then = rotation.place(log)
    append(log, "one " * 1000 + "the end")
    assert rotation.whole(log) == rotation.since(log, then) == "ne the end"
    assert rotation.rotate(log, 3)
    append(log, ", new")
    assert (log.parent / "daemon.log.old").read_text() == "ne the end"
    assert rotation.whole(log, 8) == "end, new"
    assert rotation.since(log, then) == "ne the end, new"


def test_nothing_older_than_a_place_is_told_after_a_full_disk(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, "older")
    rotation.rotate(log, 3)
    then = rotation.place(log)
    append(log, "lost")
    with monkeypatch.context() as patched:
        patched.setattr("gateway.common.rotation._keep", full)
        rotation.rotate(log, 3)
    append(log, "new")
    assert rotation.since(log, then) == "new"


def test_nothing_is_left_of_an_older_part_that_has_no_room(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "replace", full)
    append(log, "abc")
    rotation.rotate(log, 2)
    assert [path.name for path in log.parent.iterdir()] == ["daemon.log"]


@pytest.mark.parametrize("limits", [(), (3,), (3, 3)])
def test_what_came_since_a_place_survives_rotation(log: Path, limits: tuple[int, ...]) -> None:
    """After two rotations the older part may be lost, but not the newer; nothing older comes."""
    append(log, "before ")
    then = rotation.place(log)
    append(log, "one ")
    for limit in limits:
        rotation.rotate(log, limit)
        append(log, "two ")
    told = rotation.since(log, then)
    assert "before" not in told
    assert told.endswith("two " if limits else "one ")
    assert len(limits) == 2 or told.startswith("one ")


def test_a_place_in_a_log_that_is_not_there_yet(log: Path) -> None:
    then = rotation.place(log)
    append(log, "all")
    assert rotation.since(log, then) == "all"


def test_the_last_lines_are_quoted_even_just_after_rotation(log: Path) -> None:
    append(log, "why it died\n")
    rotation.rotate(log, 3)
    assert tail(log) == "why it died"


async def test_logs_are_checked_for_ever(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.common.rotation.INTERVAL", 0)
    monkeypatch.setattr("gateway.common.rotation.LIMIT", 3)
    keeping = asyncio.create_task(rotation.keep_small(lambda: log.parent.glob("*.log")))
    for text in ("first", "second"):
        append(log, text)
        await wait_until("a rotation", 30, lambda: not log.stat().st_size)
    keeping.cancel()
    assert rotation.whole(log) == "second"
