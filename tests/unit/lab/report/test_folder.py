"""The directory of a report: what is in it and nobody else's files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lab.errors import UsageError
from lab.report.folder import MANIFEST, Folder

NAMES = ("index.html", "junit.xml")


def names(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir()}


def test_a_directory_is_made_by_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        Folder(tmp_path / "a/b", NAMES).write("index.html", b"x")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a/b", "a/b/index.html")]
    assert modes == [0o750, 0o640]


def test_an_earlier_report_is_replaced_also_if_it_had_more_files(tmp_path: Path) -> None:
    first = Folder(tmp_path, (*NAMES, "1-office.html"))
    for name in (*NAMES, "1-office.html"):
        first.write(name, b"old")
    (tmp_path / ".junit.xml.tmp").write_bytes(b"what a killed run left")
    first.close()
    second = Folder(tmp_path, NAMES)
    assert names(tmp_path) == {MANIFEST}  # an interrupted run shows nothing of an earlier one
    second.write("index.html", b"new")
    assert (tmp_path / "index.html").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["notes.txt", "index.html", ".git"])
def test_nothing_is_written_among_files_of_others(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=f"{name} in it belong to no report"):
        Folder(tmp_path, NAMES)
    assert names(tmp_path) == {name}
    assert (tmp_path / name).read_text() == "mine"


def test_files_of_others_in_an_earlier_report_stay(tmp_path: Path) -> None:
    folder = Folder(tmp_path, NAMES)
    folder.write("index.html", b"old")
    folder.close()
    for name in ("a", "b", "c", "d", "e"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="a, b and c and 2 more in it") as error:
        Folder(tmp_path, NAMES)
    assert "an empty directory" in str(error.value)
    assert (tmp_path / "index.html").read_bytes() == b"old"


@pytest.mark.parametrize("listed", ["not JSON", "[]", '{"files": 7}', '{"files": ["../x", 1]}'])
def test_a_list_that_is_none_of_ours_allows_nothing(listed: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    inside = tmp_path / "report"
    inside.mkdir()
    (inside / MANIFEST).write_text(listed)
    (inside / "index.html").write_text("mine")
    with pytest.raises(UsageError):
        Folder(inside, NAMES)
    assert (tmp_path / "x").exists()


def test_a_list_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    inside = tmp_path / "report"
    inside.mkdir()
    (inside / MANIFEST).write_text('{"files": ["../x"]}')
    Folder(inside, NAMES)
    assert (tmp_path / "x").read_text() == "mine"


@pytest.mark.parametrize("place", ["a file", "a file/below", "gone"])
def test_what_cannot_be_a_directory_is_said(place: str, tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("mine")
    (tmp_path / "gone").symlink_to("/nowhere/at/all")
    with pytest.raises(UsageError, match=f"--report .*{place} cannot be written: "):
        Folder(tmp_path / place, NAMES)


def test_no_link_is_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    folder = Folder(tmp_path / "report", NAMES)
    for name in ("index.html", ".index.html.tmp"):
        (tmp_path / "report" / name).symlink_to(victim)
    folder.write("index.html", b"new")
    assert victim.read_text() == "mine"
    assert (tmp_path / "report/index.html").read_bytes() == b"new"
    assert not (tmp_path / "report/index.html").is_symlink()


def test_a_directory_is_of_one_run_at_a_time(tmp_path: Path) -> None:
    first = Folder(tmp_path, NAMES)
    first.write("index.html", b"first")
    for _ in range(2):
        with pytest.raises(UsageError, match="is in use: another verify writes there"):
            Folder(tmp_path, ("other.html",))
    assert (tmp_path / "index.html").read_bytes() == b"first"
    assert names(tmp_path) == {MANIFEST, "index.html"}
    first.close()
    Folder(tmp_path, NAMES)
    assert names(tmp_path) == {MANIFEST}


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        Folder(tmp_path, NAMES)
        os._exit(0)
    os.waitpid(child, 0)
    Folder(tmp_path, NAMES)
