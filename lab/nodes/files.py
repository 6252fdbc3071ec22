"""What a node sees instead of the machine's files: a root directory of its own.

    /usr             the private root's, read-only
    /etc /var        overlays on the private root's, the node's own to change
    /run /tmp        the node's own, empty at first; so are /root, /home and the like
    /dev             the few devices that programs of a lab need, terminals of its own, shm
    /sys             of the node's network, read-only
    /proc            of the node's processes (lab.nodes.first); of what is the machine's, nothing
                     can be written but /proc/sys/net, which is the node's own
    our code         read-only, for `python -m gateway` and the like
    the cache        its `native` and `bytecode` only, read-only

Nothing else is there: not the home directories, the rest of the cache, the machine's devices, nor
the sockets of labs. What is not mounted cannot be uncovered either.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from gateway.common import calls
from lab.boot import own
from lab.boot.enter import LOWER, code_shown
from lab.boot.users import is_machines_root

OWN_PLACES = ("/run", "/tmp", "/etc")  # noqa: S108 (the node's own)
DIRECTORIES = (
    *(("run", 0o755), ("tmp", 0o1777), ("root", 0o700), ("home", 0o755), ("mnt", 0o755)),
    *((name, 0o755) for name in ("usr", "etc", "var", "dev", "sys", "proc", "opt", "srv")),
)
OVERLAYS = ("etc", "var")
SOURCE = Path(os.environ.get("P2SLAB_SOURCE") or Path(__file__).parents[2])
"""Our code, by the path by which nodes see it, too (lab.boot.enter.code_inside)."""
OF_THE_CACHE = ("native", "bytecode")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "net/tun", "ppp")
LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2",
         "ptmx": "pts/ptmx"}  # fmt: skip
QUIET = calls.MS_NOSUID | calls.MS_NODEV
COVERED = ("kcore", "keys", "kmsg", "sysrq-trigger", "timer_list", "kpagecount", "kpageflags")
READ_ONLY = ("acpi", "bus", "fs", "irq", "scsi", "driver", "mtrr")


class PrivateFiles:
    """A node's own root directory.

    `directory` lies below the lab's /run, and `etc` are the contents of files of /etc by name.
    Every method belongs into the node's thread.
    """

    def __init__(self, directory: Path, etc: Mapping[str, str]) -> None:
        self._directory = directory
        self._etc_files = etc

    def lay_out(self) -> None:
        """Mount it all, but for /proc; the calling thread has just got its mount namespace."""
        root = self._directory
        for part, mode in DIRECTORIES:
            (root / part).mkdir(parents=True, exist_ok=True)
            (root / part).chmod(mode)
        calls.bind(str(root), str(root))
        calls.follow_links(str(root))
        for link in Path("/").iterdir():  # /bin and the like
            if link.is_symlink() and str(link.readlink()).startswith("usr/"):
                (root / link.name).symlink_to(link.readlink())
        _show(Path("/usr"), root / "usr")
        for name in OVERLAYS:
            self._overlay(name)
        calls.mount("sysfs", str(root / "sys"), "sysfs", QUIET | calls.MS_NOEXEC)
        calls.make_read_only(str(root / "sys"))
        self._devices(root / "dev")
        for place in _shown():
            target = root / place.relative_to("/")
            target.mkdir(parents=True, exist_ok=True)
            try:
                _show(place, target)
            except OSError:  # an overlay cannot lie upon every file system
                calls.bind_read_only(str(place), str(target))
        self._write_etc(root / "etc")

    def _overlay(self, name: str) -> None:
        """Beside the launcher's, not upon it: the kernel stacks two, and the machine's root may
        be one."""
        upper, work = (self._directory / f".{name}" / part for part in ("upper", "work"))
        for directory in (upper, work):
            directory.mkdir(parents=True)
        upper.parent.chmod(0o700)
        options = f"lowerdir={LOWER}/{name},upperdir={upper},workdir={work}"
        options += "" if is_machines_root() else ",userxattr"
        calls.mount("overlay", str(self._directory / name), "overlay", 0, options)

    def _devices(self, place: Path) -> None:
        calls.mount("tmpfs", str(place), "tmpfs", calls.MS_NOSUID, "mode=755")
        for name in DEVICES:
            if (device := Path("/dev", name)).exists():
                (place / name).parent.mkdir(exist_ok=True)
                (place / name).touch()
                calls.bind(str(device), str(place / name))
        for name, target in LINKS.items():
            (place / name).symlink_to(target)
        for name in ("pts", "shm"):
            (place / name).mkdir()
        quiet = calls.MS_NOSUID | calls.MS_NOEXEC
        calls.mount("devpts", str(place / "pts"), "devpts", quiet, "newinstance,ptmxmode=666")
        # Not noexec: user-mode Linux has its memory there.
        calls.mount("tmpfs", str(place / "shm"), "tmpfs", QUIET, "mode=1777")

    @property
    def proc(self) -> Path:
        """Where /proc is to be mounted (mount_proc), before `enter`."""
        return self._directory / "proc"

    def enter(self) -> None:
        """From now on the calling thread, and all that it starts, sees nothing else."""
        calls.become_root_directory(str(self._directory))

    def write(self, path: str, content: bytes, mode: int) -> None:
        """Put a file at `path`; ValueError outside the node's own places."""
        where = refuse_foreign(path)
        where.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(where, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)

    def restart(self) -> None:
        """Empty /run and /tmp; the first files of /etc get their first contents again."""
        for place in ("/run", "/tmp"):  # noqa: S108 (the node's own)
            for entry in Path(place).iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        self._write_etc(Path("/etc"))

    def _write_etc(self, etc: Path) -> None:
        for name, content in self._etc_files.items():
            (etc / name).write_text(content)


def mount_proc(place: Path) -> None:
    """For the first process of a PID namespace: its /proc, in which what is the machine's cannot
    be written, and what tells of it is covered."""
    calls.mount("proc", str(place), "proc", QUIET | calls.MS_NOEXEC)
    settings, network = str(place / "sys"), str(place / "sys/net")
    calls.bind(settings, settings)
    calls.bind(network, network)  # stays as it is: of the network namespace of who writes
    calls.make_read_only(settings)
    for name in READ_ONLY:
        if (place / name).exists():
            calls.bind_read_only(str(place / name), str(place / name))
    for name in COVERED:
        if (place / name).exists():
            calls.bind("/dev/null", str(place / name))


def _show(place: Path, target: Path) -> None:
    """An overlay without a layer that could be written: unlike a mount of the place itself, nobody
    who may mount can make it writable again."""
    held = [os.open(path, os.O_PATH | os.O_CLOEXEC) for path in (place, target)]
    layers = ":".join(f"/proc/self/fd/{number}" for number in held)  # names may have colons
    try:
        calls.mount("overlay", str(target), "overlay", calls.MS_RDONLY, f"lowerdir={layers}")
    finally:
        for number in held:
            os.close(number)


def _shown() -> Iterator[Path]:
    """What of our code and the cache a node sees; the latter as far as it can be there."""
    yield from map(Path, code_shown(str(SOURCE)).values())
    for place in (Path(os.environ["P2SLAB_CACHE"], name) for name in OF_THE_CACHE):
        with suppress(OSError):  # a cache that cannot be written
            os.close(own.open_directory(str(place), make=True))
            yield place


def refuse_foreign(path: str) -> Path:
    """The path, made plain; ValueError outside the node's own places."""
    where = Path(os.path.normpath(path))
    if not any(where.is_relative_to(place) for place in OWN_PLACES):
        raise ValueError(f"{path}: only {', '.join(OWN_PLACES)} are a node's own")
    return where
