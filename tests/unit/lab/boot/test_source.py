"""Which code runs: a checkout, or what pip has installed, and of which commit."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from lab.boot import source
from lab.boot.source import COMMIT, commit_of, files_of, is_checkout, topologies

CHECKOUT = Path(__file__).parents[4]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Somebody's, with one commit, and a directory in it that is nobody's."""
    (tmp_path / "theirs").write_text("x")
    (tmp_path / "site-packages/lab/boot").mkdir(parents=True)
    own = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    for command in (["init", "-q"], ["add", "theirs"], [*own, "commit", "-qm", "One"]):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)
    return tmp_path


def test_a_checkouts_commit_is_what_git_says(repository: Path) -> None:
    assert re.fullmatch("[0-9a-f]{7,}", commit_of(str(repository)))
    (repository / "theirs").write_text("y")
    assert commit_of(str(repository)).endswith("-dirty")


def test_no_commit_of_a_repository_that_it_only_lies_in_is_told(repository: Path) -> None:
    assert commit_of(str(repository / "site-packages")) == ""


def test_what_was_built_says_the_commit_that_it_was_built_from(repository: Path) -> None:
    (repository / "site-packages" / COMMIT).write_text("abc1234-dirty\n")
    assert commit_of(str(repository / "site-packages")) == "abc1234-dirty"


def test_the_files_of_a_checkout_are_those_that_git_knows(repository: Path) -> None:
    (repository / "lab").mkdir()
    (repository / "lab/alice.key").write_text("secret")
    assert files_of(str(repository)) == ["theirs"]


def test_without_git_all_files_but_secrets_are_a_checkouts(repository: Path) -> None:
    """An archive, though somebody may have unpacked it in a repository."""
    for name in ("here.py", "alice.key"):
        (repository / "site-packages/lab" / name).touch()
    assert files_of(str(repository / "site-packages")) == ["lab/here.py"]


def test_no_file_of_a_checkout_is_left_out_where_git_cannot_tell_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = files_of(str(CHECKOUT))
    monkeypatch.setattr(source, "_git", lambda *_: None)
    assert set(known) <= set(files_of(str(CHECKOUT)))


def test_a_checkout_and_what_is_installed_are_told_apart(tmp_path: Path) -> None:
    assert is_checkout(str(CHECKOUT))
    assert source.PROGRAM == "./p2slab"
    assert (Path(topologies(str(CHECKOUT))) / "schema.json").is_file()
    assert not is_checkout(str(tmp_path))
    assert topologies(str(tmp_path)) == f"{tmp_path}/lab/topologies"
