"""Building and loading the compiled part."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.dataplane import native
from gateway.dataplane.native import FLAGS, Native, build, load


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
def test_without_a_compiler_there_is_none_and_that_is_said_once(
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


def test_any_input_stays_within_its_bounds(tmp_path: Path) -> None:
    """Under AddressSanitizer and UBSan, in a process of its own: random and mangled input."""
    sanitized = ("-std=c11", "-O1", "-g", "-fPIC", "-shared",
                 "-fsanitize=address,undefined", "-fno-sanitize-recover=all")  # fmt: skip
    path = build(tmp_path, sanitized)
    runtime = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.native_input", str(path), "3"],
        env={"LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc",
             "PYTHONPATH": str(Path(__file__).parents[3]), "PATH": "/usr/bin"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-5000:]
    calls, packets = map(int, done.stdout.split())
    assert calls > 100
    assert packets > 100
