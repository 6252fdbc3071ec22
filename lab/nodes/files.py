"""What a node sees instead of the machine's files: mounts in its thread's own mount namespace."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from lab.kernel import calls

OWN_PLACES = ("/run", "/tmp", "/etc")  # noqa: S108 (the node's own)
DIRECTORIES = (("run", 0o755), ("tmp", 0o1777), ("etc", 0o755))


class PrivateFiles:
    """A node's own /run, /tmp, /sys, /dev/shm, and single files of /etc.

    `directory` lies below the lab's /run, and `etc` are the contents of files of /etc by name.
    Every method belongs into the node's thread.
    """

    def __init__(self, directory: Path, etc: Mapping[str, str]) -> None:
        self._directory = directory
        self._etc_files = etc
        self._own_etc = set(etc)
        self._etc = -1
        """A way to the node's files of /etc once its own /run hides them."""

    def lay_out(self) -> None:
        """Mount them; the calling thread has just got its mount namespace."""
        for part, mode in DIRECTORIES:
            directory = self._directory / part
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(mode)
        for name, content in self._etc_files.items():
            own = self._directory / "etc" / name
            own.write_text(content)
            calls.bind(str(own), f"/etc/{name}")
        self._etc = os.open(self._directory / "etc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        quiet = calls.MS_NOSUID | calls.MS_NODEV
        calls.mount("sysfs", "/sys", "sysfs", quiet | calls.MS_NOEXEC)
        calls.mount("tmpfs", "/dev/shm", "tmpfs", quiet, "mode=1777")  # noqa: S108 (as above)
        calls.bind(str(self._directory / "tmp"), "/tmp")  # noqa: S108
        calls.bind(str(self._directory / "run"), "/run")  # last: all of them lie below it
        os.chdir("/")

    def write(self, path: str, content: bytes, mode: int) -> None:
        """Put a file at `path`; ValueError outside the node's own places."""
        where = refuse_foreign(path)
        if where.is_relative_to("/etc"):
            self._take_over(where)
        where.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(where, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)

    def _take_over(self, path: Path) -> None:
        """Before the first change: a copy of the entry of /etc, seen by this node only."""
        _, _, top, *rest = path.parts
        if top in self._own_etc:
            return
        seen, own = Path("/etc", top), Path(f"/proc/thread-self/fd/{self._etc}", top)
        if rest:
            seen.mkdir(exist_ok=True)
            shutil.copytree(seen, own, symlinks=True)
        else:
            seen.touch()
            shutil.copy2(seen, own)
        calls.bind(str(own), str(seen))
        self._own_etc.add(top)

    def restart(self) -> None:
        """Empty /run and /tmp; the first files of /etc get their first contents again."""
        for place in ("/run", "/tmp"):  # noqa: S108 (the node's own)
            for entry in Path(place).iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        for name, content in self._etc_files.items():
            Path("/etc", name).write_text(content)


def refuse_foreign(path: str) -> Path:
    """The path, made plain; ValueError outside the node's own places."""
    where = Path(os.path.normpath(path))
    if not any(where.is_relative_to(place) for place in OWN_PLACES):
        raise ValueError(f"{path}: only {', '.join(OWN_PLACES)} are a node's own")
    return where
