"""A node's root directory, which replaces the host's files.

    /usr             the private root's, read-only
    /etc /var        writable overlays on the private root's
    /run /tmp        private, empty at first; so are /root, /home and the like
    /dev             the few devices that programs of a lab need, private terminals, shm
    /sys             of the node's network, read-only
    /proc            of the node's processes (lab.nodes.first); only /proc/sys/net is writable,
                     which belongs to the node's network namespace
    our code         read-only, for `python -m gateway` and the like; with its bytecode
    the cache        only its `native` and `bytecode`, read-only

Nothing else is mounted: no home directories, no other part of the cache, no host devices, no
sockets of labs. So unmounting cannot uncover them either.
"""

from __future__ import annotations

import os
import shutil
import sys
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
"""Our code, at the same path in nodes (lab.boot.enter.code_inside)."""
OF_THE_CACHE = ("native", "bytecode")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "net/tun", "ppp")
LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2",
         "ptmx": "pts/ptmx"}  # fmt: skip
QUIET = calls.MS_NOSUID | calls.MS_NODEV
COVERED = ("kcore", "keys", "kmsg", "sysrq-trigger", "timer_list", "kpagecount", "kpageflags")
READ_ONLY = ("acpi", "bus", "fs", "irq", "scsi", "driver", "mtrr")


class PrivateFiles:
    """A node's root directory.

    `directory` is below the lab's /run; `etc` maps names in /etc to contents. Call every method
    in the node's thread.
    """

    def __init__(self, directory: Path, etc: Mapping[str, str]) -> None:
        self._directory = directory
        self._etc_files = etc

    def lay_out(self) -> None:
        """Mount everything except /proc; the calling thread has a new mount namespace."""
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
        for place in _code():
            self._show(place, *self._bytecode(place))
        for place in _of_the_cache():
            self._show(place)
        self._write_etc(root / "etc")

    def _show(self, place: Path, *above: Path) -> None:
        """At the same path, with the layers above it."""
        target = self._directory / place.relative_to("/")
        target.mkdir(parents=True, exist_ok=True)
        try:
            _show(place, target, *above)
        except OSError:  # not every file system can be a layer of an overlay
            calls.bind_read_only(str(place), str(target))

    def _bytecode(self, place: Path) -> Iterator[Path]:
        """What to lay over a part of our code whose bytecode is not beside it: in each of its
        directories, a link `__pycache__` to the one of the cache.

        With PYTHONPYCACHEPREFIX instead, as outside, programs would look there for the bytecode of
        the private root's modules too, not find it, and compile them at every start: they may not
        write it.
        """
        if sys.pycache_prefix is None:
            return
        layer = self._directory / ".bytecode" / place.name
        for directory, below, files in os.walk(place):
            below[:] = [name for name in below if not name.startswith((".", "__pycache__"))]
            if any(name.endswith(".py") for name in files):
                beside = layer / Path(directory).relative_to(place)
                beside.mkdir(parents=True, exist_ok=True)
                (beside / "__pycache__").symlink_to(f"{sys.pycache_prefix}{directory}")
        yield layer

    def _overlay(self, name: str) -> None:
        """Use the launcher's lower layer, not its overlay: the kernel stacks two overlays at most,
        and the host's root may be one."""
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
        # Not noexec: user-mode Linux keeps its memory there.
        calls.mount("tmpfs", str(place / "shm"), "tmpfs", QUIET, "mode=1777")

    @property
    def proc(self) -> Path:
        """The mount point for /proc (mount_proc), before `enter`."""
        return self._directory / "proc"

    def enter(self) -> None:
        """Make this the root directory of the calling thread and of all that it starts."""
        calls.become_root_directory(str(self._directory))

    def write(self, path: str, content: bytes, mode: int) -> None:
        """Write a file at `path`; ValueError outside the node's own directories."""
        where = refuse_foreign(path)
        where.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(where, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)

    def restart(self) -> None:
        """Empty /run and /tmp, and restore the initial files of /etc."""
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
    """Mount /proc for the first process of a PID namespace. The host's settings are read-only, and
    files with information about the host are covered."""
    calls.mount("proc", str(place), "proc", QUIET | calls.MS_NOEXEC)
    settings, network = str(place / "sys"), str(place / "sys/net")
    calls.bind(settings, settings)
    calls.bind(network, network)  # stays writable: it shows the writer's network namespace
    calls.make_read_only(settings)
    for name in READ_ONLY:
        if (place / name).exists():
            calls.bind_read_only(str(place / name), str(place / name))
    for name in COVERED:
        if (place / name).exists():
            calls.bind("/dev/null", str(place / name))


def _show(place: Path, target: Path, *above: Path) -> None:
    """Mount a directory, with the layers `above` it, as an overlay without a writable one: unlike
    a read-only bind mount, it cannot be remounted writable."""
    held = [os.open(path, os.O_PATH | os.O_CLOEXEC) for path in (*above, place, target)]
    layers = ":".join(f"/proc/self/fd/{number}" for number in held)  # names may have colons
    try:
        calls.mount("overlay", str(target), "overlay", calls.MS_RDONLY, f"lowerdir={layers}")
    finally:
        for number in held:
            os.close(number)


def _code() -> Iterator[Path]:
    """The parts of our code that a node sees."""
    yield from map(Path, code_shown(str(SOURCE)).values())


def _of_the_cache() -> Iterator[Path]:
    """The parts of the cache that a node sees, those that can be made."""
    for place in (Path(os.environ["P2SLAB_CACHE"], name) for name in OF_THE_CACHE):
        with suppress(OSError):  # a read-only cache
            os.close(own.open_directory(str(place), make=True))
            yield place


def refuse_foreign(path: str) -> Path:
    """The normalized path; ValueError outside the node's own directories."""
    where = Path(os.path.normpath(path))
    if not any(where.is_relative_to(place) for place in OWN_PLACES):
        raise ValueError(f"{path}: only {', '.join(OWN_PLACES)} are a node's own")
    return where
