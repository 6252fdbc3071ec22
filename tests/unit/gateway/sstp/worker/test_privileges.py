"""Privileges are dropped for good, as seen from outside in /proc/PID/status."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.unprivileged import privileges

SCRIPT = """
import os, sys
from gateway.unprivileged import privileges
print(privileges.drop(), flush=True)
sys.stdin.read()
"""


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def dropped(before: str = "") -> tuple[str, dict[str, str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", before + SCRIPT],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout
        said = process.stdout.readline().strip()
        seen = status(process.pid)
        process.stdin.close()  # type: ignore[union-attr]
    assert process.returncode == 0
    return said, seen


def nothing_left(seen: dict[str, str]) -> None:
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(seen[name], 16) == 0, (name, seen[name])
    assert seen["NoNewPrivs"] == "1"


def maps_nobody() -> bool:
    rows = [
        tuple(map(int, row.split())) for row in Path("/proc/self/uid_map").read_text().splitlines()
    ]
    return any(first <= privileges.NOBODY < first + count for first, _, count in rows)


def test_root_becomes_nobody_without_capabilities() -> None:
    if not maps_nobody():
        pytest.skip("this user has no subordinate ids: nobody is not mapped here")
    said, seen = dropped("import os; os.setgroups([4, 27])\n")
    assert said == ""
    assert seen["Uid"].split() == [str(privileges.NOBODY)] * 4
    assert seen["Gid"].split() == [str(privileges.NOBODY)] * 4
    assert seen["Groups"] == ""
    nothing_left(seen)


def test_where_no_other_id_is_mapped_capabilities_are_dropped_and_it_is_reported() -> None:
    alone = """
import os, ctypes
libc = ctypes.CDLL(None)
uid, gid = os.geteuid(), os.getegid()
assert libc.unshare(0x10000000) == 0
for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
    open("/proc/self/" + name, "w").write(text)
"""
    said, seen = dropped(alone)
    assert "this user namespace does not map 65534" in said
    nothing_left(seen)


def test_it_dies_with_its_parent_although_its_ids_have_changed() -> None:
    """The kernel clears PR_SET_PDEATHSIG at setuid; the worker must set it again."""
    worker = "import time; from gateway.unprivileged import privileges; privileges.drop(); "
    worker += "print('dropped', flush=True); time.sleep(30)"
    parent = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {worker!r}], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout
        descriptor = os.pidfd_open(int(process.stdout.readline()))
        process.kill()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    assert poll.poll(10000), "the worker has outlived its parent"
    os.close(descriptor)
