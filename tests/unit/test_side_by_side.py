"""Tests in several processes: who is alone, what is set up once, and what is told meanwhile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

LOG = """
import os, time
def note(word):
    with open({log!r}, "a") as file:
        file.write(f"{{os.getpid()}} {{word}}\\n")
"""

TOGETHER = """
import pytest, notes
@pytest.fixture(scope="module", autouse=True)
def setup():
    notes.note("setup {name}")
    yield
    notes.note("over {name}")
@pytest.mark.parametrize("number", range(5))
def test_it(number):
    notes.time.sleep(0.02)
"""
ALONE = TOGETHER + "pytestmark = pytest.mark.alone\n"
OTHERS = """
import pytest
from lab.runtime.directory import BASE
def test_fails():
    assert list(BASE.iterdir()) == ["what others have"]
def test_is_skipped():
    pytest.skip("it has its reason")
"""


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    plugins = ("-p", "tests.harness.side_by_side", "-p", "tests.harness.progress")
    argv = [sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", str(directory)]
    more = ["-p", "no:cacheprovider", "-p", "no:asyncio", "--import-mode=importlib"]
    return subprocess.run(
        [*argv, *more, *plugins, *arguments],
        cwd=directory,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Three files with a setup each, and one that is to be alone, which comes first by its name."""
    log = tmp_path / "log"
    (tmp_path / "notes.py").write_text(LOG.format(log=str(log)))
    prefix = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    (tmp_path / "test_alone.py").write_text(prefix + ALONE.format(name="alone"))
    for name in ("one", "two", "three"):
        (tmp_path / f"test_{name}.py").write_text(prefix + TOGETHER.format(name=name))
    return tmp_path


def test_a_file_is_set_up_once_and_who_is_alone_comes_when_all_are_over(suite: Path) -> None:
    done = run(suite, "-n", "3")
    assert done.returncode == 0, done.stdout
    said = [line.split(maxsplit=1)[1] for line in (suite / "log").read_text().splitlines()]
    others = sorted(
        f"{word} {name}" for word in ("setup", "over") for name in ("one", "two", "three")
    )
    assert sorted(said[:-2]) == others
    assert said[-2:] == ["setup alone", "over alone"]


def test_what_is_told_while_they_run_and_after(suite: Path) -> None:
    (suite / "test_others.py").write_text(OTHERS)
    done = run(suite, "-n", "2", "-rs", "--junitxml=junit.xml")
    assert done.returncode == 1, done.stdout
    assert "FAILED in call: test_others.py::test_fails" in done.stdout
    assert "22 of 22 after" in done.stdout
    assert ", 1 failed" in done.stdout
    assert "it has its reason" in done.stdout
    (counted,) = ET.parse(suite / "junit.xml").getroot().iter("testsuite")
    assert (counted.get("tests"), counted.get("failures"), counted.get("skipped")) == (
        "22",
        "1",
        "1",
    )
