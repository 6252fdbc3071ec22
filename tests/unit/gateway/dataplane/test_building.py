"""Building and loading the compiled part."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.dataplane import native
from gateway.dataplane.native import FLAGS, Native, build, load
from tests.fuzz.run import run


@pytest.fixture(autouse=True)
def nothing_loaded() -> Iterator[None]:
    load.cache_clear()
    yield
    load.cache_clear()


def test_it_compiles_without_a_warning(tmp_path: Path) -> None:
    strict = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wcast-qual", "-Werror")
    Native(build(tmp_path, (*FLAGS, *strict)))


def test_it_is_built_once_and_the_directory_has_nothing_else(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as several:
        paths = set(several.map(build, [tmp_path] * 4))
    (path,) = paths
    assert list(tmp_path.iterdir()) == [path]
    made = path.stat().st_mtime_ns
    assert build(tmp_path).stat().st_mtime_ns == made


def test_another_source_or_other_flags_make_another_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(tmp_path)
    assert build(tmp_path, (*FLAGS, "-g")) != first
    changed = tmp_path / "changed.c"
    changed.write_bytes(native.SOURCE.read_bytes() + b"\n")
    monkeypatch.setattr(native, "SOURCE", changed)
    assert build(tmp_path) != first


@pytest.mark.parametrize(
    ("compiler", "reason"),
    [
        (None, "no C compiler (gcc, cc, clang) on PATH"),
        ("#!/bin/sh\necho broken >&2; exit 1", "gcc failed: broken"),
    ],
)
def test_a_missing_compiler_is_reported_once(
    compiler: str | None,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("P2SLAB_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    if compiler:
        (tmp_path / "gcc").write_text(compiler)
        (tmp_path / "gcc").chmod(0o755)
    assert load() is None
    assert load() is None
    said = capfd.readouterr().err
    assert said.startswith("SSTP works without its compiled part, slower: ")
    assert reason in said.replace(f"{tmp_path}/", "")
    assert said.count("\n") == 1


def test_a_cache_that_cannot_be_written_is_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("P2SLAB_CACHE", str(tmp_path / "file"))
    assert load() is None
    assert "Not a directory" in capfd.readouterr().err


def test_it_can_be_turned_off(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("P2SLAB_NATIVE", "off")
    assert load() is None
    assert capfd.readouterr().err == ""


def test_any_input_stays_within_its_bounds(capfd: pytest.CaptureFixture[str]) -> None:
    """Under AddressSanitizer and UBSan, in a process of its own: random and mangled input."""
    assert run(["native"], 0.05, seed=1) == 0, capfd.readouterr()
    inputs = capfd.readouterr().out.splitlines()[1].split()[1]
    assert int(inputs.replace(",", "")) > 0
