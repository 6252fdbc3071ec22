"""Where things are: the cache, the private root of this checkout, the run base."""

from __future__ import annotations

import hashlib
import os
import pwd

from lab.errors import MachineError

# Raise it when make.py builds another tree from the same lists.
RECIPE = "1"
SUITE = "bookworm"
LISTS = ("packages.txt", "requirements.lock")


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
        cache.refuse_another_users()
        return cache

    def refuse_another_users(self) -> None:
        """Raise MachineError when the cache's owner is not this process's effective user."""
        try:
            owner = os.stat(self.directory).st_uid
        except OSError:
            return
        if owner != os.geteuid():
            raise MachineError(
                f"the cache {self.directory} belongs to user {owner}, and you are {os.geteuid()}",
                "unset XDG_CACHE_HOME and P2SLAB_CACHE, or name a directory of your own",
            )

    def tree(self, key: str) -> str:
        """The directory of the private root with this key, made or not."""
        return os.path.join(self.directory, f"root-{key}")

    def run_base(self) -> str:
        """Where the run directories of labs lie: on disk or tmpfs of the machine, not of a lab."""
        if os.geteuid() == 0:
            return "/run/p2slab"
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        if os.path.isabs(runtime) and os.access(runtime, os.W_OK | os.X_OK):
            return os.path.join(runtime, "p2slab")
        return os.path.join(self.directory, "run")


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
