"""The part of the caller's environment that a lab keeps."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from lab.boot import enter
from lab.boot.ending import machines_fault
from lab.boot.enter import environment, outside
from lab.boot.source import PACKAGES
from lab.failure import error_text
from lab.nodes.environment import environment as of_a_node
from lab.topology.load import load
from lab.topology.reading.problems import LoadError


def test_turning_the_compiled_part_off_reaches_the_gateways_node(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("P2SLAB_NATIVE", "off")
    inside = environment(str(tmp_path), str(tmp_path), "/run/p2slab")
    assert inside["P2SLAB_NATIVE"] == "off"
    for name, value in inside.items():
        monkeypatch.setenv(name, value)
    assert of_a_node()["P2SLAB_NATIVE"] == "off"


def test_proxies_paths_and_secrets_of_the_caller_stay_where_they_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("https_proxy", "PYTHONPATH", "LD_PRELOAD", "P2SLAB_P12_PASSWORD"):
        monkeypatch.setenv(name, "/mine")
    (tmp_path / "p2slab").touch()
    inside = environment(str(tmp_path), str(tmp_path), "/run/p2slab")
    assert not {"https_proxy", "LD_PRELOAD"} & set(inside)
    assert inside["PYTHONPATH"].endswith(str(tmp_path))
    assert "P2SLAB_P12_PASSWORD" not in of_a_node()


@pytest.mark.parametrize(
    ("inside", "named"),
    [
        (f"{enter.HOST}/var/tmp/lab.yaml", "/var/tmp/lab.yaml"),
        ("lab.yaml", "lab.yaml"),
        ("/home/alice/lab.yaml", "/home/alice/lab.yaml"),
        (f"{enter.HOST}ile/lab.yaml", f"{enter.HOST}ile/lab.yaml"),
    ],
)
def test_a_person_is_shown_the_machines_own_name_of_a_file(inside: str, named: str) -> None:
    assert outside(inside) == named
    assert outside(Path(inside)) == named


def test_messages_have_the_machines_own_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(enter, "HOST", str(tmp_path))
    with pytest.raises(LoadError) as missing:
        load(tmp_path / "usr/lab.yaml")
    assert str(missing.value).startswith("/usr/lab.yaml cannot be used: 1 problem\n/usr/lab.yaml:1")
    refused = OSError(errno.EACCES, "Permission denied", str(tmp_path / "etc/x"))
    assert error_text(refused) == "/etc/x: Permission denied"
    assert str(machines_fault(refused)).startswith("/etc/x: Permission denied")


def test_of_an_installed_p2slab_the_packages_alone_are_shown(tmp_path: Path) -> None:
    """What stands beside them in site-packages is made for the machine's Python."""
    (tmp_path / "pydantic").mkdir()
    shown = enter.code_shown(str(tmp_path))
    assert set(shown.values()) == {str(tmp_path / name) for name in PACKAGES}
    inside = environment(str(tmp_path), str(tmp_path), "/run/p2slab")
    assert {str(Path(place).parent) for place in shown} == {inside["PYTHONPATH"]}
    assert inside["P2SLAB_SOURCE"] == inside["PYTHONPATH"]
    assert inside["PYTHONPYCACHEPREFIX"]


def test_a_checkout_is_shown_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "p2slab").touch()
    assert list(enter.code_shown(str(tmp_path)).values()) == [str(tmp_path)]


SET_INSIDE = "P2SLAB_FUZZED_LIBRARY"
"""By one program of the tests for another."""


def test_every_setting_that_is_read_inside_is_carried_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(__file__).parents[4]
    files = (file for part in ("lab", "tests") for file in (source / part).rglob("*.py"))
    read = re.compile(r"environ(?:\.get)?[\[(]\"(P2SLAB_\w+)")
    names = {name for file in files for name in read.findall(file.read_text())} - {SET_INSIDE}
    assert "P2SLAB_SEED" in names
    for name in names:
        monkeypatch.setenv(name, "1")
    assert names <= environment(str(tmp_path), str(tmp_path), "/run/p2slab").keys()
