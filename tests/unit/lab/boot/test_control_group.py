"""The control group for `test --costs`, with fake files of /proc and a directory as hierarchy."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.boot import control_group
from lab.errors import MachineError

OTHERS = (
    b"31 24 0:27 / /mnt/\xff rw - tmpfs tmpfs rw\n32 24 0:28 / /cpu rw - cgroup cgroup rw,cpu\n"
)


def fake(tmp_path: Path, path: str, root: str = "/", kind: str = "cgroup2") -> str:
    """The directory of a /proc in which this process is in the group `path`."""
    own = tmp_path / "proc" / "self"
    own.mkdir(parents=True)
    (own / "cgroup").write_text(f"4:memory:/elsewhere\n0::{path}\n")
    mounted = f"42 32 0:27 {root} {tmp_path} rw,relatime shared:9 - {kind} cgroup2 rw\n"
    (own / "mountinfo").write_bytes(OTHERS + mounted.encode())
    return str(tmp_path / "proc")


@pytest.mark.parametrize(
    ("path", "root", "below"),
    [("/", "/", ""), ("/user/run", "/", "user/run"), ("/docker/ab", "/docker", "ab")],
)
def test_a_group_is_made_below_ones_own(tmp_path: Path, path: str, root: str, below: str) -> None:
    own = tmp_path / below
    own.mkdir(exist_ok=True, parents=True)
    (own / "cgroup.procs").touch()
    assert control_group.made("ours", fake(tmp_path, path, root)) == str(own / "ours")
    assert (own / "ours").is_dir()


@pytest.mark.parametrize(
    ("path", "root", "kind"), [("/", "/", "cgroup"), ("/a", "/b", "cgroup2"), ("", "/", "cgroup2")]
)
def test_without_a_hierarchy_that_shows_the_own_group_it_is_refused(
    tmp_path: Path, path: str, root: str, kind: str
) -> None:
    with pytest.raises(MachineError, match="version 2"):
        control_group.made("ours", fake(tmp_path, path, root, kind))


def test_a_group_that_may_not_be_left_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="--costs cannot make") as refused:
        control_group.made("ours", fake(tmp_path, "/"))
    assert refused.value.remedy
    assert not (tmp_path / "ours").exists()
