"""A log on a disk that is full."""

from __future__ import annotations

import os
from pathlib import Path

from radius.log_stream import LogStream


def test_lines_are_written_whole(tmp_path: Path) -> None:
    file = tmp_path / "log"
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    stream = LogStream(descriptor)
    print("one", "two", file=stream)
    stream.write("begun")
    assert file.read_text() == "one two\n"
    stream.write(" and ended\n\udc80")
    stream.flush()
    assert file.read_text() == "one two\nbegun and ended\n\\udc80"
    os.close(descriptor)


def test_a_full_disk_loses_lines_and_raises_nothing() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    stream = LogStream(descriptor)
    assert stream.write("lost\n") == 5
    stream.flush()
    os.close(descriptor)
