"""p2slab's own code: a checkout, or what pip has installed.

    checkout                  installed, in site-packages
    p2slab, .git              lab/boot/commit.txt (the console script is elsewhere)
    lab, gateway, radius      lab, gateway, radius
    topologies                lab/topologies
    tests, docs               -

Of what is installed, the private root and nodes see the packages alone: beside them in
site-packages are other people's, made for the machine's Python.
"""

from __future__ import annotations

import os
import subprocess
from fnmatch import fnmatch
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""That of this process."""
PACKAGES = ("lab", "gateway", "radius")
COMMIT = "lab/boot/commit.txt"
"""Written when a wheel or an sdist is built."""
_CHECKOUT = ("p2slab", *PACKAGES, "topologies", "tests", "docs", "distribution", "README.md",
             "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "Vagrantfile", ".ci",
             ".gitignore")  # fmt: skip
_SECRET = ("*.key", "*.p12", "*.pfx", "*.pem", ".env*", "*.pyc", "*/__pycache__")


def is_checkout(source: str) -> bool:
    """Whether it has more than the packages: tests, benchmarks, the program p2slab."""
    return os.path.isfile(os.path.join(source, "p2slab"))


PROGRAM = "./p2slab" if is_checkout(HERE) else "p2slab"
"""What a person types."""


def topologies(source: str) -> str:
    """The directory of the topologies that come with p2slab, and of their schema."""
    return os.path.join(source, "topologies" if is_checkout(source) else "lab/topologies")


EXAMPLE = os.environ.get("P2SLAB_EXAMPLE") or (
    "topologies/quickstart.yaml" if is_checkout(HERE) else f"{topologies(HERE)}/quickstart.yaml"
)
"""The topology to start from; the launcher hands the machine's name of it to the verbs."""


def commit_of(source: str) -> str:
    """The commit, with `-dirty` where files differ from it; empty if nobody can tell."""
    try:
        with open(os.path.join(source, COMMIT), encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        told = _git(source, "describe", "--always", "--dirty")
        return told.decode().strip() if told else ""


def files_of(source: str) -> list[str]:
    """A checkout's own files, relative to it: what git knows; without git all but secrets."""
    told = _git(source, "ls-files", "-z")
    if told is None:
        return sorted(_walk(source))
    names = [os.fsdecode(name) for name in told.split(b"\0") if name]
    return [name for name in names if os.path.lexists(os.path.join(source, name))]


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether the path is one of the patterns'."""
    return any(fnmatch(path, pattern) for pattern in patterns)


def _git(source: str, *arguments: str) -> bytes | None:
    """What git says; None if it says nothing, or is not there, or if there is no repository."""
    if not os.path.exists(os.path.join(source, ".git")):
        return None  # git would tell of a repository that this one lies in
    # The checkout may be another user's.
    command = ["git", "-c", f"safe.directory={source}", "-C", source, *arguments]
    try:
        return subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def _walk(source: str) -> Iterator[str]:
    for top in _CHECKOUT:
        place = os.path.join(source, top)
        if os.path.isfile(place):
            yield top
        for directory, below, files in os.walk(place):
            below[:] = [name for name in below if not name.startswith((".", "__pycache__"))]
            for name in files:
                path = os.path.relpath(os.path.join(directory, name), source)
                if not matches(path, _SECRET):
                    yield path
