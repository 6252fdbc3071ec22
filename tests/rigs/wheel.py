"""p2slab as pip installs it: a wheel of this checkout, in an empty virtual environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
WHEELS = Path("/usr/share/python-wheels")
"""Debian's, pip's among them; the private root's virtual environment has no pip."""


def build(directory: Path) -> Path:
    """The wheel, built in the directory without network."""
    _pip("wheel", "--no-deps", "--no-index", "--wheel-dir", str(directory), str(CHECKOUT))
    (wheel,) = directory.glob("*.whl")
    return wheel


def install(*what: str | Path, environment: Path) -> Path:
    """The console script of an environment, made here, that has that and nothing else."""
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", environment], check=True)
    _pip("--python", str(environment), "install", "--no-deps", "--no-index", *map(str, what))
    return environment / "bin/p2slab"


def environment() -> dict[str, str]:
    """What a program of that environment may be started with: nothing of the checkout's."""
    checkouts = ("PYTHONPATH", "P2SLAB_EXAMPLE")
    return {name: text for name, text in os.environ.items() if name not in checkouts}


def _pip(*arguments: str) -> None:
    (pip,) = WHEELS.glob("pip-*.whl")
    command = [sys.executable, f"{pip}/pip", "--no-cache-dir", "--disable-pip-version-check"]
    subprocess.run(
        [*command, *arguments], cwd="/", env=environment(), check=True, stdout=subprocess.PIPE
    )
