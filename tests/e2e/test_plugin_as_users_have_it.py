"""The plug-in in a user's directory: it finds files beside the test, and failures are short."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
SMALL = """\
name: small
story: Two hosts of a VNet.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {app: 10.1.1.0/24}
    hosts:
      app1: {subnet: app, serves: [http]}
      app2: {subnet: app}
expect:
  - {reaches: app2, host: app1, port: 80}
  - {cannotReach: app2, host: app1, port: 81}
"""
TESTS = """
import pytest


@pytest.mark.topology("small.yaml")
def test_held(lab):
    lab.expect({"reaches": "app2", "host": "app1", "protocol": "icmp"})


@pytest.mark.topology("small.yaml")
def test_not_held(lab):
    lab.expect({"cannotReach": "app2", "host": "app1", "protocol": "icmp"})


@pytest.mark.topology("small.yaml")
def test_misspelt(lab):
    lab.expect({"reches": "app2", "host": "app1"})


@pytest.mark.topology("small.yaml")
def test_no_such_node(lab):
    lab.exec("nobody", ["ls"])


@pytest.mark.topology("missing.yaml")
def test_no_such_file(lab):
    pass


def test_no_mark(lab):
    pass
"""


def pytest_in(directory: Path, environment: dict[str, str]) -> str:
    """What pytest says there of mine/test_mine.py."""
    (directory / "mine").mkdir()
    (directory / "mine/small.yaml").write_text(SMALL)
    (directory / "mine/test_mine.py").write_text(TESTS)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "lab.pytest_plugin", "-p", "no:cacheprovider",
         "mine/test_mine.py"],
        cwd=directory,
        env={**environment, "COLUMNS": "200", "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    return run.stdout + run.stderr


def test_a_users_tests_find_their_files_and_fail_briefly(tmp_path: Path) -> None:
    said = pytest_in(tmp_path, dict(os.environ))
    for words in (
        "1 passed",
        "3 failed",
        "2 errors",
        ": app2 cannot reach host app1 protocol icmp: 64 bytes",
        "step 1: unknown step 'reches'; did you mean 'reaches'?",
        "has no node 'nobody'",
        f"{tmp_path}/mine/missing.yaml:1:1: no such file",
        'mark it with @pytest.mark.topology("FILE")',
    ):
        assert words in said, said
    assert "Warning" not in said
    assert "During handling" not in said
    assert str(CHECKOUT / "lab") not in said  # nothing of ours between the test and the words


def test_outside_the_private_root_the_command_to_type_is_said(tmp_path: Path) -> None:
    elsewhere = {name: text for name, text in os.environ.items() if name != "P2SLAB_SOURCE"}
    said = pytest_in(tmp_path, elsewhere)
    assert f"p2slab test {tmp_path}/mine/test_mine.py" in said
    assert "6 errors in" in said
