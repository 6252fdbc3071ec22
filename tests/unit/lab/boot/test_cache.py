from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from lab.boot.cache import Cache, layers_of
from lab.boot.make import unfinished_trees
from lab.errors import MachineError


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


def test_unfinished_roots_are_distinguished_from_whole_ones(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path))
    names = ("root-aaaa", "root-bbbb", "root-bbbb+runner.making-12", "keys")
    for name in names:
        (tmp_path / name).mkdir()
    assert [Path(tree).name for tree in cache.trees()] == list(names[:3])
    assert [Path(tree).name for tree in unfinished_trees(cache)] == [names[2]]
    assert cache.best("bbbb") == str(tmp_path / "root-bbbb")
    assert cache.best("cccc") == ""


def test_the_best_root_is_the_one_with_the_most_layers(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path))
    for layers in (["base"], ["base", "core", "runner"], ["base", "runner"]):
        Path(cache.tree("aaaa", layers)).mkdir()
    best = cache.best("aaaa")
    assert Path(best).name == "root-aaaa+runner+core"
    assert layers_of(best) == {"base", "runner", "core"}
