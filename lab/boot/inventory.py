"""What lies in the cache: private roots, their sizes, the versions in them."""

from __future__ import annotations

import glob
import os
import time
from typing import NamedTuple

from lab.boot.build import size_of
from lab.boot.cache import Cache
from lab.boot.make import HALF_MADE, trees

# The programs and packages whose versions matter to who reads a verdict.
_PACKAGES = ("charon-systemd", "openvpn", "squid", "dnsmasq-base", "nginx-light", "iperf3",
             "nftables", "iproute2", "tcpdump", "curl", "openssl", "python3",
             "sstp-client", "ppp", "user-mode-linux", "freeradius", "samba")  # fmt: skip
_WHEELS = ("aiohttp", "cryptography", "pydantic", "pyroute2", "scapy", "vici", "nsenter")


class Other(NamedTuple):
    """A private root that this checkout does not use."""

    root: str
    size: int
    finished: bool


class Inventory(NamedTuple):
    """What `p2slab root` tells; sizes in bytes on disk, `made` is local time or empty."""

    root: str
    key: str
    made: str
    size: int
    versions: dict[str, str]
    others: list[Other]


def take(cache: Cache, key: str) -> Inventory:
    """Look at the cache."""
    tree = cache.tree(key)
    others = [
        Other(other, size_of(other), HALF_MADE not in other)
        for other in trees(cache)
        if other != tree
    ]
    if not os.path.isdir(tree):
        return Inventory(tree, key, "", 0, {}, others)
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(os.stat(tree).st_mtime))
    versions = {**debian_versions(tree), **python_versions(tree)}
    return Inventory(tree, key, made, size_of(tree), versions, others)


def debian_versions(tree: str) -> dict[str, str]:
    """Versions of the main Debian packages, from the tree's dpkg status."""
    found: dict[str, str] = {}
    name = ""
    with open(f"{tree}/var/lib/dpkg/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("Package: "):
                name = line[len("Package: ") :].strip()
            elif line.startswith("Version: ") and name in _PACKAGES:
                found[name] = line[len("Version: ") :].strip()
    return {package: found[package] for package in _PACKAGES if package in found}


def python_versions(tree: str) -> dict[str, str]:
    """Versions of the main Python packages, from the names of their metadata directories."""
    venv = f"{glob.escape(tree)}/usr/lib/p2slab/venv"
    infos = glob.glob(f"{venv}/lib/python3*/site-packages/*.dist-info")
    pairs = (os.path.basename(info)[: -len(".dist-info")].rsplit("-", 1) for info in infos)
    found = {name.lower(): version for name, version in pairs}
    return {package: found[package] for package in _WHEELS if package in found}
