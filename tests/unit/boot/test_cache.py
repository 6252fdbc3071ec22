from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

import pytest

from lab.boot.cache import Cache, package_names, root_key, wheel_count
from lab.boot.make import trees, unfinished_trees
from lab.errors import MachineError

LISTS = Path(__file__).parents[3] / "lab" / "boot"


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    for name in ("packages.txt", "requirements.lock"):
        shutil.copy(LISTS / name, tmp_path)
    return tmp_path


def test_the_key_changes_with_either_list_and_with_nothing_else(lists: Path) -> None:
    key = root_key(str(lists))
    (lists / "other").write_text("x")
    assert root_key(str(lists)) == key
    for name in ("packages.txt", "requirements.lock"):
        before = (lists / name).read_text()
        (lists / name).write_text(before + "\n# more\n")
        assert root_key(str(lists)) != key
        (lists / name).write_text(before)
    assert root_key(str(lists)) == key


def test_packages_are_read_without_their_comments(lists: Path) -> None:
    (lists / "packages.txt").write_text("# daemons\nopenvpn\n\nsquid # the proxy\n")
    assert package_names(str(lists)) == ["openvpn", "squid"]


def test_the_lock_counts_a_package_once() -> None:
    assert wheel_count(str(LISTS)) == (LISTS / "requirements.lock").read_text().count("==")


def test_every_locked_file_has_a_hash() -> None:
    for block in (LISTS / "requirements.lock").read_text().split("\n\n")[-1].split("==")[1:]:
        assert "--hash=sha256:" in block


def test_the_cache_is_in_the_passwd_home_whatever_HOME_says(  # noqa: N802
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("P2SLAB_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    home = pwd.getpwuid(os.geteuid()).pw_dir
    assert Cache.of_this_user().directory == f"{home}/.cache/p2slab"


def test_P2SLAB_CACHE_goes_before_XDG_CACHE_HOME(  # noqa: N802
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("P2SLAB_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Cache.of_this_user().directory == f"{tmp_path}/p2slab"
    monkeypatch.setenv("P2SLAB_CACHE", f"{tmp_path}/mine")
    assert Cache.of_this_user().directory == f"{tmp_path}/mine"


def test_another_users_cache_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("P2SLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(MachineError, match="belongs to user"):
        Cache.of_this_user()


def test_half_made_roots_are_told_from_whole_ones(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path))
    for name in ("root-aaaa", "root-bbbb", "root-bbbb.making-12", "keys"):
        (tmp_path / name).mkdir()
    assert [Path(tree).name for tree in trees(cache)] == [
        "root-aaaa", "root-bbbb", "root-bbbb.making-12"]  # fmt: skip
    assert [Path(tree).name for tree in unfinished_trees(cache)] == ["root-bbbb.making-12"]
