"""Where things are: the cache, the private root of this checkout, the run base."""

from __future__ import annotations

import hashlib
import os
import pwd

from lab.boot import own
from lab.boot.progress import say
from lab.errors import MachineError

# Raise it when make.py builds another tree from the same lists.
RECIPE = "1"
SUITE = "bookworm"
LISTS = ("packages.txt", "requirements.lock")
_REMEDY = (
    "chmod go-w what others may write, or name a directory of your own: P2SLAB_CACHE "
    "(and unset XDG_CACHE_HOME)"
)


class Cache:
    """One user's cache: private roots (`root-KEY`), `keys`, and what else is worth keeping."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    @classmethod
    def of_this_user(cls) -> Cache:
        """P2SLAB_CACHE, or XDG_CACHE_HOME/p2slab, or .cache/p2slab in the user's passwd home.

        Not HOME: under sudo it may be another user's.
        """
        named = os.environ.get("P2SLAB_CACHE")
        xdg = os.environ.get("XDG_CACHE_HOME")
        base = xdg if xdg and os.path.isabs(xdg) else os.path.join(_home(), ".cache")
        cache = cls(os.path.abspath(named) if named else os.path.join(base, "p2slab"))
        cache.refuse_others()
        return cache

    def refuse_others(self) -> None:
        """Raise MachineError when the cache is there and another user owns it or may write in it,
        or may put another in its place."""
        if os.path.lexists(self.directory):
            own.refuse(self.directory, "the cache", _REMEDY)

    def make(self) -> None:
        """Make it (0700) if it is not there; MachineError if it cannot be, or is not ours."""
        try:
            own.make_directory(self.directory, "the cache", _REMEDY)
        except OSError as error:
            raise MachineError(
                f"the cache {self.directory} cannot be written: {error.strerror}",
                "name another directory with P2SLAB_CACHE",
            ) from error

    def tree(self, key: str) -> str:
        """The directory of the private root with this key, made or not."""
        return os.path.join(self.directory, f"root-{key}")

    def in_use(self, key: str) -> str:
        """The lock file that everybody holds who is in that private root."""
        return os.path.join(self.directory, f"{key}.in-use")

    def run_base(self) -> str:
        """Where the run directories of labs lie: on disk or tmpfs of the machine, not of a lab.

        An XDG_RUNTIME_DIR that others may write, or that is another user's, is passed over, as its
        specification wants, with a line on stderr.
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

    def made_run_base(self) -> str:
        """The same, made if it was not there; MachineError if others may write in it, or in what
        leads to it."""
        base = self.run_base()
        remedy = f"look who has made it, then remove it: rm -r {base}"
        try:
            return own.make_directory(base, "the run directory", remedy)
        except OSError as error:
            raise MachineError(
                f"the run directory {base} cannot be made: {error.strerror}",
                "make it writable, or set XDG_RUNTIME_DIR to a directory that is",
            ) from error


def root_key(lists: str) -> str:
    """Twelve hex digits that change with the package lists in the directory `lists`.

    The recipe and the machine's architecture count too.
    """
    digest = hashlib.sha256(f"{RECIPE} {SUITE} {os.uname().machine}\n".encode())
    for name in LISTS:
        with open(os.path.join(lists, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()[:12]


def package_names(lists: str) -> list[str]:
    """The Debian packages named in packages.txt."""
    with open(os.path.join(lists, "packages.txt"), encoding="utf-8") as file:
        lines = (line.split("#")[0].strip() for line in file)
        return [line for line in lines if line]


def wheel_count(lists: str) -> int:
    """How many Python packages requirements.lock pins."""
    with open(os.path.join(lists, "requirements.lock"), encoding="utf-8") as file:
        return sum("==" in line and not line.startswith((" ", "#")) for line in file)


def free_bytes(directory: str) -> int:
    """Bytes that this user may still write on the directory's file system."""
    file_system = os.statvfs(directory)
    return file_system.f_bavail * file_system.f_frsize


def full_disk(directory: str) -> MachineError:
    """The error for a cache with too little room."""
    left = f"{free_bytes(directory) / 1e6:.0f} MB and {os.statvfs(directory).f_favail} files"
    return MachineError(
        f"the disk is full: {directory} has room for {left}; making the private root takes 900 MB "
        "and 20000 files, a part of which is given back",
        "make room, or name a directory on another disk with P2SLAB_CACHE",
    )


def _home() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return os.path.expanduser("~")
