"""What is removed after a larger root has been made, and what stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.boot import make, own
from lab.boot.cache import Cache
from lab.boot.make import LABEL

CHECKOUT, KEY = "/src/p2slab", "aaaa"
ROOTS = {
    # name: key and checkout of its label
    "root-aaaa": (KEY, CHECKOUT),
    "root-aaaa+runner": (KEY, "/elsewhere"),
    "root-aaaa+runner+core": (KEY, CHECKOUT),
    "root-bbbb+runner": ("bbbb", CHECKOUT),
    "root-cccc+runner": ("cccc", "/elsewhere"),
}
MADE = "root-aaaa+runner+core"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    for name, (key, checkout) in ROOTS.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / LABEL).write_text(json.dumps({"key": key, "checkout": checkout}))
    (tmp_path / "root-dddd").mkdir()  # of a version that wrote no label
    cache = Cache(str(tmp_path))
    (Path(cache.fetched("debs")) / "x.deb").touch()
    monkeypatch.setattr(make, "running_labs", lambda _: [])
    return cache


def left(cache: Cache) -> set[str]:
    return {path.name for path in Path(cache.directory).iterdir() if not path.suffix}


def test_what_it_grew_from_and_what_an_earlier_checkout_used_goes_with_a_line(
    cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    make._clear(cache, f"{cache.directory}/{MADE}", CHECKOUT)
    assert left(cache) == {MADE, "root-cccc+runner", "root-dddd"}
    said = capsys.readouterr().err.splitlines()
    gone = f"{cache.directory}/root-bbbb+runner"
    assert said == [f"  removed {gone}, which an earlier state of this checkout used"]


def test_nothing_that_a_lab_may_run_in_goes(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "running_labs", lambda _: ["quickstart"])
    make._clear(cache, f"{cache.directory}/{MADE}", CHECKOUT)
    assert left(cache) == {*ROOTS, "root-dddd"}


def test_nothing_in_use_is_removed(cache: Cache) -> None:
    tree = f"{cache.directory}/root-bbbb+runner"
    held = own.lock(cache.in_use(tree), "", lambda _: None, shared=True)
    assert held is not None
    make._clear(cache, f"{cache.directory}/{MADE}", CHECKOUT)
    assert "root-bbbb+runner" in left(cache)
    assert "root-aaaa+runner" not in left(cache)


def test_a_copy_of_the_cache_by_hard_links_stays_as_it_is(
    cache: Cache, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `cp -al` makes it, and a root that grows: whatever is written gets a file of its own."""
    monkeypatch.setattr(make, "versions_in", lambda _: {})
    copy = tmp_path_factory.mktemp("copy")
    make._link(cache.directory, str(copy))
    before = {path: path.read_text() for path in copy.rglob(LABEL)}
    make._label(f"{cache.directory}/{MADE}", "eeee", frozenset({"base"}), CHECKOUT)
    assert make.label_of(f"{cache.directory}/{MADE}")["key"] == "eeee"
    make.prune(cache, keep="")
    assert left(cache) == set()
    assert {path: path.read_text() for path in copy.rglob(LABEL)} == before
    assert len(before) == len(ROOTS)
