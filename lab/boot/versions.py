"""The versions of packages in a private root."""

from __future__ import annotations

import glob
import os

# The programs and packages whose versions matter for a verdict.
MAIN = ("charon-systemd", "openvpn", "squid", "dnsmasq-base", "nginx-light", "iperf3",
        "nftables", "iproute2", "tcpdump", "curl", "openssl", "python3",
        "sstp-client", "ppp", "user-mode-linux", "freeradius", "samba",
        "cryptography", "h11", "pydantic", "pyroute2", "scapy", "vici",
        "nsenter")  # fmt: skip


def versions_in(tree: str) -> dict[str, str]:
    """The version of each Debian and Python package, by its name."""
    return {**_debian(tree), **_python(tree)}


def _debian(tree: str) -> dict[str, str]:
    """Versions from dpkg's status file."""
    found: dict[str, str] = {}
    name = ""
    with open(f"{tree}/var/lib/dpkg/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("Package: "):
                name = line[len("Package: ") :].strip()
            elif line.startswith("Version: "):
                found[name] = line[len("Version: ") :].strip()
    return found


def _python(tree: str) -> dict[str, str]:
    """Versions from the names of metadata directories."""
    venv = f"{glob.escape(tree)}/usr/lib/p2slab/venv"
    infos = glob.glob(f"{venv}/lib/python3*/site-packages/*.dist-info")
    pairs = (os.path.basename(info)[: -len(".dist-info")].rsplit("-", 1) for info in infos)
    return {name.lower(): version for name, version in pairs}
