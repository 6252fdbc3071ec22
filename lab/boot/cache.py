"""Locations: the cache, the private roots, the run base."""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
from itertools import chain
from typing import TYPE_CHECKING

from lab.boot import own
from lab.boot.layers import NEEDED, in_order
from lab.boot.progress import say
from lab.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A part of the name of an unfinished root.
HALF_MADE = ".making-"
_RUN = b"P2SLAB_RUN="
_REMEDY = (
    "remove others' write permission (chmod go-w), or set P2SLAB_CACHE to a directory of yours "
    "(and unset XDG_CACHE_HOME)"
)


class Cache:
    """One user's cache: private roots (`root-KEY`), `keys` and other reusable files."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    @classmethod
    def of_this_user(cls) -> Cache:
        """P2SLAB_CACHE, or XDG_CACHE_HOME/p2slab, or .cache/p2slab in the user's passwd home.

        Not HOME: under sudo it may be another user's.
        """
        named = os.environ.get("P2SLAB_CACHE")
        xdg = os.environ.get("XDG_CACHE_HOME", "")
        if named:
            cache = cls(os.path.abspath(named))
        elif os.path.isabs(xdg):
            cache = cls(os.path.join(xdg, "p2slab"))
        else:
            cache = cls(os.path.join(_home(), ".cache", "p2slab"))
        cache.refuse_others()
        return cache

    def refuse_others(self) -> None:
        """Raise MachineError if it cannot be a directory, or if another user owns it, or may write
        in it or replace it."""
        place = self.directory
        while not os.path.lexists(place):
            place = os.path.dirname(place)
        if not os.path.isdir(place):
            link = os.path.islink(place)
            what = f"a link to {os.readlink(place)}, where no directory is" if link else "a file"
            raise MachineError(
                f"the cache {self.directory} is not used: {place} is {what}",
                "make a directory there, or name another with P2SLAB_CACHE",
            )
        if place == self.directory:
            own.refuse(place, "the cache", _REMEDY)

    def make(self) -> None:
        """Create it (0700) if it does not exist; MachineError if that fails or it is not ours."""
        try:
            own.make_directory(self.directory, "the cache", _REMEDY)
        except OSError as error:
            raise MachineError(
                f"the cache {self.directory} cannot be written: {error.strerror}",
                "name another directory with P2SLAB_CACHE",
            ) from error

    def tree(self, key: str, layers: Iterable[str]) -> str:
        """The directory of the private root with this key and these layers, made or not."""
        names = in_order(layers)[1:]
        return os.path.join(self.directory, "+".join((f"root-{key}", *names)))

    def trees(self, key: str = "") -> list[str]:
        """Every private root, finished or not, those with fewer layers first; or those of a key."""
        found = glob.glob(os.path.join(glob.escape(self.directory), f"root-{key}*"))
        return sorted(found, key=lambda tree: (tree.count("+"), tree))

    def best(self, key: str) -> str:
        """The finished private root of this key with the most layers; empty if there is none."""
        finished = [tree for tree in self.trees(key) if HALF_MADE not in tree]
        return finished[-1] if finished else ""

    def in_use(self, tree: str) -> str:
        """The lock file that every process in that private root holds."""
        return os.path.join(self.directory, f"{os.path.basename(tree)[len('root-') :]}.in-use")

    def fetched(self, name: str = "") -> str:
        """The directory for downloads of an unfinished root; created."""
        place = os.path.join(self.directory, "fetched", name)
        os.makedirs(place, 0o755, exist_ok=True)
        return place

    def run_base(self) -> str:
        """The directory of the labs' run directories, on the host.

        An XDG_RUNTIME_DIR that belongs to or is writable by another user is not used, as its
        specification demands; a line on stderr says so.
        """
        if os.geteuid() == 0:
            return "/run/p2slab"
        instead = os.path.join(self.directory, "run")
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        if not os.path.isabs(runtime):
            return instead
        reason = own.why_not(runtime)
        if not reason:
            return os.path.join(runtime, "p2slab")
        say(f"p2slab: XDG_RUNTIME_DIR ({runtime}) is not used: {reason}; labs are in {instead}")
        return instead

    def run_bases(self) -> Iterator[str]:
        """`run_base`, and where labs of this user are that were started with another
        XDG_RUNTIME_DIR or, as by cron, without one; the least likely last, since looking for them
        takes milliseconds."""
        told = [self.run_base()]
        yield told[0]
        if os.geteuid() == 0:
            return
        usual = (f"/run/user/{os.geteuid()}/p2slab", os.path.join(self.directory, "run"))
        for base in chain(usual, _of_processes()):
            if base not in told and not own.why_not(base):
                told.append(base)
                yield base

    def made_run_base(self, base: str = "") -> str:
        """`run_base`, or another, created; MachineError if others may write in it or in a parent
        directory."""
        base = base or self.run_base()
        remedy = f"check who created it, then remove it: rm -r {base}"
        try:
            return own.make_directory(base, "the run directory", remedy)
        except OSError as error:
            raise MachineError(
                f"the run directory {base} cannot be made: {error.strerror}",
                "make it writable, or set XDG_RUNTIME_DIR to a directory that is",
            ) from error


def _of_processes() -> Iterator[str]:
    """The run bases that this user's processes, those of labs among them, were started with."""
    for process in glob.iglob("/proc/[0-9]*/environ"):
        with contextlib.suppress(OSError), open(process, "rb") as file:  # others', or it has ended
            for setting in file.read().split(b"\0"):
                if setting.startswith(_RUN):
                    yield os.fsdecode(setting[len(_RUN) :])


def layers_of(tree: str) -> frozenset[str]:
    """The layers of a finished private root, by its name."""
    return frozenset(("base", *os.path.basename(tree).split("+")[1:]))


def free_bytes(directory: str) -> int:
    """Bytes available to this user on the directory's file system."""
    file_system = os.statvfs(directory)
    return file_system.f_bavail * file_system.f_frsize


def needed_bytes(layers: Iterable[str]) -> int:
    """Disk space in bytes for making these layers, at its peak."""
    return sum(NEEDED[name] for name in layers)


def full_disk(directory: str, needed: int = 0) -> MachineError:
    """The error for a cache with too little room; `needed`: bytes, 0 if unknown."""
    left = f"{free_bytes(directory) / 1e6:.0f} MB and {os.statvfs(directory).f_favail} files"
    wanted = f"; making the private root takes {needed / 1e6:.0f} MB" if needed else ""
    return MachineError(
        f"the disk is full: {directory} has room for {left}{wanted}",
        "make room, or name a directory on another disk with P2SLAB_CACHE",
    )


def _home() -> str:
    try:
        home = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        home = os.environ.get("HOME", "")
    if not os.path.isabs(home):
        raise MachineError(
            f"user {os.geteuid()} has no home directory here", "name a directory with P2SLAB_CACHE"
        )
    return home
