"""The layers of the private root; each is made when it is first needed.

    base        Debian with Python
    runner      the Python packages of p2slab itself: enough for `validate`, `schema`, `pki`
    core        the lab's daemons and programs: IKEv2, OpenVPN, RADIUS
    sstp        SSTP's client, and a kernel with PPP for machines that have none
    build       the C compiler for the compiled part of the gateway's SSTP
    bgp         BIRD, for gateways and sites that speak BGP
    directory   Active Directory
    test        additional packages for the test suite

A layer is a set of Debian packages (packages.txt), of Python packages (a lock file), or both.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SUITE = "bookworm"
# Raise it when another tree is built from the same lists.
RECIPE = "3"
ORDER = ("base", "runner", "core", "sstp", "build", "bgp", "directory", "test")
LOCKS = {"runner": "requirements.lock", "test": "requirements-test.lock"}
# Measured: peak disk space in bytes for making a layer, including downloads.
NEEDED = {
    "base": 300_000_000,
    "runner": 200_000_000,
    "core": 300_000_000,
    "sstp": 100_000_000,
    "build": 300_000_000,
    "bgp": 50_000_000,
    "directory": 400_000_000,
    "test": 400_000_000,
}
_LISTS = os.path.dirname(os.path.abspath(__file__))
_HEADING = re.compile(r"\[(\w+)\]$")


def closed(names: Iterable[str]) -> frozenset[str]:
    """These layers and the ones in every root."""
    return frozenset((*ORDER[:2], *names))


def in_order(names: Iterable[str]) -> list[str]:
    """The layers sorted from lowest to highest."""
    wanted = set(names)
    return [name for name in ORDER if name in wanted]


def debian_packages(name: str, lists: str = _LISTS) -> list[str]:
    """The Debian packages of one layer, sorted."""
    return _sections(lists).get(name, [])


def lock_file(name: str, lists: str = _LISTS) -> str:
    """The Python packages of one layer, every file with its hash; empty if it has none."""
    return os.path.join(lists, LOCKS[name]) if name in LOCKS else ""


def wheels(name: str, lists: str = _LISTS) -> list[str]:
    """The Python packages of one layer as `package==version`, sorted."""
    path = lock_file(name, lists)
    if not path:
        return []
    with open(path, encoding="utf-8") as file:
        lines = (line.split() for line in file if not line.startswith((" ", "#", "\n")))
        return sorted(words[0] for words in lines)


def root_key(lists: str = _LISTS) -> str:
    """Twelve hex digits that identify what is installed in the private root.

    They depend on packages, recipe, suite and architecture, not on comments or order in the lists.
    """
    digest = hashlib.sha256(f"{RECIPE} {SUITE} {os.uname().machine}\n".encode())
    for name in ORDER:
        parts = (name, *debian_packages(name, lists), *wheels(name, lists))
        digest.update(" ".join(parts).encode() + b"\n")
    return digest.hexdigest()[:12]


def _sections(lists: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    here: list[str] = []
    with open(os.path.join(lists, "packages.txt"), encoding="utf-8") as file:
        for line in (line.split("#")[0].strip() for line in file):
            heading = _HEADING.match(line)
            if heading:
                here = found.setdefault(heading.group(1), [])
            elif line:
                here.append(line)
    return {name: sorted(packages) for name, packages in found.items()}
