"""The machine's state that a lab must not change, as lines of text to compare.

It is read in the caller's network namespace, which for every verb is the host's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from lab.errors import LabError
from lab.kernel import nft

Fingerprint = dict[str, list[str]]
"""Section names to sorted lines."""

UNREADABLE = "(not readable by this user)"
_BRIEF = {
    "links": ("index", "ifi_type", "IFLA_IFNAME", "IFLA_ADDRESS", "IFLA_MTU", "IFLA_MASTER"),
    "addresses": ("index", "IFA_ADDRESS", "prefixlen", "scope"),
    "routes": ("family", "table", "type", "RTA_DST", "dst_len", "RTA_GATEWAY", "RTA_OIF"),
    "rules": ("family", "action", "FRA_PRIORITY", "FRA_TABLE", "FRA_SRC", "FRA_DST"),
}
"""The fields of each message to compare: none that change by themselves, such as lifetimes."""
_CHANGING = re.compile(r"count$|/route/|mem$|/neigh/|random|nf_log")
"""Sysctls that are counters or change by themselves."""


def fingerprint() -> Fingerprint:
    """Links, addresses, routes, rules, nftables, mounts, network sysctls, named namespaces."""
    with IPRoute() as ip:
        dumps: dict[str, Callable[[], Iterable[Any]]] = {
            "links": ip.get_links,
            "addresses": ip.get_addr,
            "routes": ip.get_routes,
            "rules": ip.get_rules,
        }
        taken = {what: sorted(_lines(what, dump())) for what, dump in dumps.items()}
    return taken | {
        "nftables": _ruleset(),
        "mounts": _mounts(),
        "sysctls": sorted(_sysctls()),
        "namespaces": sorted(entry.name for entry in _entries(Path("/run/netns"))),
    }


def differences(before: Fingerprint, after: Fingerprint) -> list[str]:
    """Added and removed lines; empty if the machine is unchanged."""
    return [
        f"{what}: {sign} {line}"
        for what in before
        for sign, one, other in (("-", before, after), ("+", after, before))
        for line in one[what]
        if line not in other[what]
    ]


def _lines(what: str, messages: Iterable[Any]) -> Iterator[str]:
    for message in messages:
        yield " ".join(f"{name}={message.get(name)}" for name in _BRIEF[what])


def _ruleset() -> list[str]:
    try:
        ruleset = nft.run("list ruleset")
    except LabError:
        return [UNREADABLE]
    return re.sub(r"counter packets \d+ bytes \d+", "counter", ruleset).splitlines()


def _mounts() -> list[str]:
    """The mounts of the host's PID 1 if readable, else of this process."""
    try:
        table = Path("/proc/1/mountinfo").read_bytes()
    except PermissionError:
        table = Path("/proc/self/mountinfo").read_bytes()
    return sorted(line.partition(" ")[2] for line in os.fsdecode(table).splitlines())


def _sysctls() -> Iterator[str]:
    for directory, _, names in os.walk("/proc/sys/net"):
        for path in (Path(directory, name) for name in names):
            if _CHANGING.search(str(path)):
                continue
            try:
                yield f"{path}={path.read_text().strip()}"
            except OSError:  # write-only, or only for root
                continue


def _entries(directory: Path) -> Iterable[Path]:
    return directory.iterdir() if directory.is_dir() else ()
