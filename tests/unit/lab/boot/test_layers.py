from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.boot import layers
from lab.boot.layers import LOCKS, NEEDED, ORDER, debian_packages, root_key, wheels
from lab.boot.verbs import VERBS, of_verb
from lab.topology.load import load
from lab.topology.planning.layers import layers_for

LISTS = Path(layers.__file__).parent
TOPOLOGIES = Path(__file__).parents[4] / "topologies"


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    for name in ("packages.txt", *LOCKS.values()):
        shutil.copy(LISTS / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["packages.txt", *LOCKS.values()])
def test_the_key_changes_with_what_is_installed_and_not_with_words(lists: Path, name: str) -> None:
    key = root_key(str(lists))
    before = (lists / name).read_text()
    (lists / name).write_text(before + "\n# more\n")
    assert root_key(str(lists)) == key
    (lists / name).write_text(before + "\nmore==1 \\\n    --hash=sha256:0\n")
    assert root_key(str(lists)) != key


def test_order_does_not_change_the_key(lists: Path) -> None:
    (lists / "packages.txt").write_text("[core]\na\nb\n[base]\nc\n")
    key = root_key(str(lists))
    (lists / "packages.txt").write_text("[base]\nc # why\n\n[core]\nb\na\n")
    assert root_key(str(lists)) == key
    (lists / "packages.txt").write_text("[base]\nc\na\n[core]\nb\n")
    assert root_key(str(lists)) != key, "a package has moved to another layer"


def test_every_layer_has_something_in_it_and_room_of_its_own() -> None:
    assert {name for name in ORDER if debian_packages(name) or wheels(name)} == set(ORDER)
    assert set(NEEDED) == set(ORDER)


def test_no_package_is_in_two_layers() -> None:
    packages = [package for name in ORDER for package in debian_packages(name)]
    assert len(packages) == len(set(packages))
    python = [wheel for name in ORDER for wheel in wheels(name)]
    assert len(python) == len(set(python))


@pytest.mark.parametrize("lock", LOCKS.values())
def test_every_locked_file_has_a_hash(lock: str) -> None:
    blocks = (LISTS / lock).read_text().split("==")[1:]
    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)


@pytest.mark.parametrize(
    ("verb", "wanted"),
    [
        ("validate", {"base", "runner"}),
        ("verify", {"base", "runner", "core"}),
        ("test", set(ORDER)),
    ],
)
def test_a_verb_needs_no_more_than_it_uses(verb: str, wanted: set[str]) -> None:
    assert of_verb(verb) == wanted


def test_a_verb_that_may_ask_has_what_every_lab_needs() -> None:
    assert all("core" in of_verb(name) for name, verb in VERBS.items() if verb.may_ask)


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("quickstart", {"core"}),
        ("sstp", {"core", "sstp", "build"}),
        ("active-directory", {"core", "directory"}),
    ],
)
def test_a_topology_needs_the_layers_of_what_is_in_it(file: str, wanted: set[str]) -> None:
    topology = load(TOPOLOGIES / f"{file}.yaml").topology
    assert wanted <= layers_for([topology])
    assert wanted == {"core"} or layers_for([topology]) != {"core"}
    assert "test" not in layers_for([topology])


def test_quickstart_needs_the_core_alone() -> None:
    assert layers_for([load(TOPOLOGIES / "quickstart.yaml").topology]) == {"core"}
