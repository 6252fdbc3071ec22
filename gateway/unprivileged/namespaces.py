"""Empty namespaces: open descriptors stay usable, and nothing else can be reached."""

from __future__ import annotations

from gateway.common import calls

_COVERED = "/dev"
"""A directory that every system has; it is covered by the new root."""


def empty() -> str:
    """Enter empty namespaces, as root of the machine or of a user namespace. Returns what could not
    be left, or ""."""
    kept = []
    for what, leave in (("the network", _leave_network), ("the files", _leave_files)):
        try:
            leave()
        except OSError as error:
            kept.append(f"{what}: {error.filename}: {error.strerror}")
    return "; ".join(kept)


def _leave_network() -> None:
    calls.unshare(calls.NEWNET | calls.NEWIPC | calls.NEWUTS)


def _leave_files() -> None:
    """Make an empty directory the root; the old root is stacked below it and unmounted."""
    calls.unshare(calls.NEWNS)
    calls.mount("none", "/", "", calls.MS_REC | calls.MS_PRIVATE)
    flags = calls.MS_RDONLY | calls.MS_NOSUID | calls.MS_NODEV | calls.MS_NOEXEC
    calls.mount("nothing", _COVERED, "tmpfs", flags, "mode=0555,size=4k,nr_inodes=1")
    calls.become_root_directory(_COVERED)
