"""The wheel: whole, and of use without the checkout and without a package from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lab import VERSION
from lab.boot.source import COMMIT, PACKAGES, commit_of, files_of
from tests.harness import as_user
from tests.rigs import wheel as rig

CHECKOUT = Path(__file__).parents[3]
READ_BY_PATH = (
    "gateway/dataplane/native.c",
    "gateway/openvpn/issuers.c",
    "lab/kernel/registers.c",
    "lab/boot/packages.txt",
    "lab/boot/requirements.lock",
    "lab/boot/requirements-test.lock",
    "lab/cli/commands.json",
    "lab/guest/init.py",
    "lab/topologies/quickstart.yaml",
    "lab/topologies/schema.json",
    "radius/dictionary/dictionary",
    "radius/provision.py",
    "radius/winbind.py",
    *(f"{package}/py.typed" for package in PACKAGES),
)
"""What is found by its path when p2slab runs."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rig.build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rig.install(wheel, environment=tmp_path_factory.mktemp("environment"))


def answer(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """From another directory than the checkout, and with nothing of it on Python's path."""
    return subprocess.run(
        [program, *words],
        cwd="/",
        env=rig.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_has_every_file_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        there = set(archive.namelist())
        assert archive.testzip() is None
    assert set(READ_BY_PATH) <= there
    known = {name for name in files_of(str(CHECKOUT)) if name.partition("/")[0] in PACKAGES}
    assert known <= there
    assert {name.partition("/")[0] for name in there} == {*PACKAGES, f"p2slab-{VERSION}.dist-info"}


def test_what_is_installed_says_its_version_and_the_commit_it_was_built_from(
    program: Path,
) -> None:
    commit = commit_of(str(CHECKOUT))
    said = answer(program, "--version")
    assert said.stdout == f"p2slab {VERSION} ({commit})\n" if commit else f"p2slab {VERSION}\n"


def test_what_is_installed_answers_from_its_own_files(program: Path) -> None:
    assert answer(program, "schema").stdout == (CHECKOUT / "topologies/schema.json").read_text()
    assert "Verbs:" in answer(program, "--help").stdout


as_root = pytest.mark.skipif(
    not as_user.possible(), reason="only root can enter a private root in one; run it with sudo"
)


@as_root
def test_what_is_installed_checks_a_topology_in_the_private_root(program: Path) -> None:
    said = answer(program, "validate", str(CHECKOUT / "topologies/quickstart.yaml"))
    assert said.returncode == 0, said.stderr
    assert "quickstart.yaml: ok" in said.stdout


@as_root
def test_what_is_installed_names_a_topology_of_its_own_to_start_from(program: Path) -> None:
    said = answer(program, "validate", "/missing.yaml")
    assert said.returncode == 2
    (named,) = re.findall(r"/\S+/lab/topologies/quickstart.yaml", said.stderr + said.stdout)
    assert Path(named).is_relative_to(program.parents[1])


@pytest.mark.parametrize("words", [["test"], ["test", "--lf"], ["bench", "lab"], ["image", "x"]])
def test_what_is_installed_refuses_what_only_a_checkout_has(
    program: Path, words: list[str]
) -> None:
    said = answer(program, *words)
    assert said.returncode == 2
    assert f"{words[0]} needs p2slab's own source" in said.stderr


def test_every_pytest_of_the_environment_finds_the_fixture(program: Path) -> None:
    python = program.with_name("python")
    entry_point = (
        "from importlib.metadata import entry_points\n"
        "print([point.value for point in entry_points(group='pytest11')])"
    )
    said = subprocess.check_output([python, "-I", "-c", entry_point], text=True)
    assert said == "['lab.pytest_plugin']\n"


def test_an_editable_install_is_the_checkout(tmp_path: Path) -> None:
    program = rig.install("--editable", CHECKOUT, environment=tmp_path)
    assert "bench: no benchmark is named" in answer(program, "bench").stderr
    commit = commit_of(str(CHECKOUT))
    assert (f"({commit})" if commit else VERSION) in answer(program, "--version").stdout


def test_an_sdist_has_the_checkout_and_the_commit(tmp_path: Path) -> None:
    build = f"import backend; print(backend.build_sdist({str(tmp_path)!r}))"
    paths = f"import sys; sys.path[:0] = ['distribution', '.']; {build}"
    name = subprocess.check_output([sys.executable, "-c", paths], cwd=CHECKOUT, text=True).strip()
    listed = subprocess.check_output(["tar", "-tzf", tmp_path / name], text=True).split("\n")
    inside = {re.sub("^[^/]*/", "", entry) for entry in listed}
    assert {"p2slab", "pyproject.toml", "distribution/backend.py", COMMIT} <= inside
