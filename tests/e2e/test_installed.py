"""A p2slab that pip has installed brings up the quickstart."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.harness import as_user
from tests.rigs import wheel as rig

pytestmark = pytest.mark.skipif(
    not as_user.possible(), reason="only root can enter a private root in one; run it with sudo"
)


def test_an_installed_p2slab_verifies_the_quickstart(tmp_path: Path) -> None:
    program = rig.install(rig.build(tmp_path), environment=tmp_path / "environment")
    (site_packages,) = (tmp_path / "environment/lib").glob("python3*/site-packages")
    (site_packages / "pydantic.py").write_text("raise ImportError('made for another Python')")
    done = subprocess.run(
        [
            program,
            "verify",
            "--name",
            "installed",
            site_packages / "lab/topologies/quickstart.yaml",
        ],
        cwd="/",
        env=rig.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "HELD: 21 of 21" in done.stdout
