"""Making the private root: a Debian tree by mmdebstrap, in it a Python environment from the lock.

It is made in a directory of its own and renamed at the end, so a tree with the right name is whole.
"""

from __future__ import annotations

import collections
import contextlib
import fcntl
import glob
import os
import re
import select
import shutil
import subprocess
from typing import IO, Callable, Iterator, TextIO

from lab.boot import carry, tools
from lab.boot.cache import SUITE, Cache, package_names, wheel_count
from lab.boot.enter import PATH, PYTHON, environment, replace_root
from lab.boot.progress import Step, megabytes, say, step
from lab.boot.work import as_pid_one
from lab.errors import MachineError

# Bytes on disk that the making needs at its peak, downloads included.
NEEDED = 900_000_000
HALF_MADE = ".making-"
_VENV = "/usr/lib/p2slab/venv"
_PIP_INSTALL = ("-m", "pip", "install", "--require-hashes", "--no-deps", "--no-cache-dir",
                "--no-input", "--disable-pip-version-check", "--root-user-action=ignore",
                "--progress-bar=off", "-r", "/usr/lib/p2slab/requirements.lock")  # fmt: skip
_APT_OPTIONS = ('APT::Install-Recommends "false"', 'Acquire::Languages "none"')
# Nobody reads these in a lab, and they are a third of the files.
_EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
_NETWORK_WORDS = re.compile(
    r"Could not resolve|Temporary failure|Network is unreachable|Could not connect|"
    r"Connection (refused|timed out)|Unable to connect|No route to host|Failed to fetch|"
    r"NewConnectionError|Name or service not known"
)
_FULL_WORDS = re.compile(r"No space left on device|Disk quota exceeded|not enough free space", re.I)
_COMPLAINT = re.compile(r"E: |ERROR: |dpkg: error")


def make_root(cache: Cache, key: str, source: str, *, install: bool) -> None:
    """Make the private root with this key, unless another process has made it meanwhile."""
    with locked(cache):
        if os.path.isdir(cache.tree(key)):
            return
        missing = tools.missing_packages()
        if missing:
            tools.provide(missing, install=install)
        _refuse_full(cache)
        say(
            f"p2slab: making the private root in {cache.tree(key)}\n"
            "  (once: about half a minute and half a gigabyte; nothing is installed on the machine)"
        )
        tree = cache.tree(key)
        unfinished = f"{tree}{HALF_MADE}{os.getpid()}"
        as_pid_one(
            lambda: _make(cache, unfinished, tree, source),
            undo=lambda: shutil.rmtree(unfinished, ignore_errors=True),
        )


@contextlib.contextmanager
def locked(cache: Cache) -> Iterator[None]:
    """Hold the cache's lock; say so when another process has it."""
    try:
        os.makedirs(cache.directory, exist_ok=True)
        lock = os.open(os.path.join(cache.directory, "root.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise MachineError(
            f"the cache {cache.directory} cannot be written: {error.strerror}",
            "name another directory with P2SLAB_CACHE",
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("p2slab: another process is making the private root; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _refuse_full(cache: Cache) -> None:
    free = os.statvfs(cache.directory)
    available = free.f_bavail * free.f_frsize
    if available < NEEDED:
        raise full_disk(cache.directory, available)


def full_disk(directory: str, available: int) -> MachineError:
    """The error for a cache with too little room; `available` in bytes."""
    return MachineError(
        f"the disk is full: {directory} has {megabytes(available)} left, and making the private "
        f"root takes {megabytes(NEEDED)} (half of it is given back)",
        "make room, or name a directory on another disk with P2SLAB_CACHE",
    )


def half_made(cache: Cache) -> list[str]:
    """Trees whose making was cut short (by none that still runs: the caller holds the lock)."""
    return sorted(
        os.path.join(cache.directory, name)
        for name in os.listdir(cache.directory)
        if HALF_MADE in name
    )


def _make(cache: Cache, unfinished: str, tree: str, source: str) -> None:
    for remains in half_made(cache):
        say(f"  removing {os.path.basename(remains)}, which was not finished")
        shutil.rmtree(remains)
    os.mkdir(unfinished, 0o755)
    lists = os.path.join(source, "lab", "boot")
    log = os.path.join(cache.directory, "make.log")
    with open(log, "w", encoding="utf-8") as file:
        maker = _Maker(cache, unfinished, file)
        maker.packages(package_names(lists))
        maker.python(lists)
        if os.path.exists(os.path.join(source, "lab", "pki", "stock.py")):
            maker.keys(source)
    os.rename(unfinished, tree)
    os.unlink(log)


class _Maker:
    """The steps of one making; what the programs say goes to `log`."""

    def __init__(self, cache: Cache, tree: str, log: TextIO) -> None:
        self.cache = cache
        self.tree = tree
        self.log = log

    def packages(self, names: list[str]) -> None:
        """The Debian tree."""
        options = [*_APT_OPTIONS, *carry.apt_options()]
        mirror = os.environ.get("P2SLAB_MIRROR")
        command = [
            *("mmdebstrap", "--mode=root", "--variant=essential", "--verbose"),
            f"--include={','.join(names)}",
            *(f"--aptopt={option}" for option in options),
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in _EXCLUDED),
            *(SUITE, self.tree, *([mirror] if mirror else [])),
        ]
        with step(f"Debian {SUITE}, {len(names)} packages named") as progress:
            self.run(command, progress, _apt_note)
            # The machine's proxy, with its password perhaps, is no part of the tree.
            os.unlink(f"{self.tree}/etc/apt/apt.conf.d/99mmdebstrap")
            progress.result = megabytes(size_of(self.tree))

    def python(self, lists: str) -> None:
        """The virtual environment, every file checked against the lock's hashes."""
        home = f"{self.tree}/usr/lib/p2slab"
        os.makedirs(home)
        shutil.copy(os.path.join(lists, "requirements.lock"), home)
        settings = carry.collect()
        wheel = glob.glob(f"{self.tree}/usr/share/python-wheels/pip-*.whl")[0]
        env = {**settings.env, "PATH": PATH, "HOME": os.environ.get("HOME", "/root"),
               "LC_ALL": "C.UTF-8", "PYTHONPATH": wheel[len(self.tree):]}  # fmt: skip

        def enter() -> None:
            replace_root(self.tree, visible=[], writable=True)
            settings.write()

        with step(f"Python environment, {wheel_count(lists)} packages locked") as progress:
            venv = ["/usr/bin/python3", "-m", "venv", "--without-pip", _VENV]
            self.run(venv, progress, str.strip, env=env, enter=enter)
            self.run([PYTHON, *_PIP_INSTALL], progress, _pip_note, env=env, enter=enter)
            progress.result = megabytes(size_of(home))

    def keys(self, source: str) -> None:
        """The stock of RSA keys, so that nobody waits for one later."""
        env = environment(source, self.cache.directory, self.cache.run_base())

        def enter() -> None:
            replace_root(self.tree, visible=[source, self.cache.directory])

        with step("RSA keys in stock") as progress:
            command = [PYTHON, "-m", "lab.pki.stock"]
            self.run(command, progress, str.strip, env=env, enter=enter)

    def run(
        self,
        command: list[str],
        progress: Step,
        note: Callable[[str], str],
        *,
        env: dict[str, str] | None = None,
        enter: Callable[[], None] | None = None,
    ) -> None:
        """Run a program to its end, showing what `note` makes of its lines; MachineError if it fails."""
        said: collections.deque[str] = collections.deque(maxlen=200)
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            preexec_fn=enter,  # noqa: PLW1509 (one thread)
            cwd="/",
        ) as child:
            for line in _lines_of(child.stdout, progress):
                said.append(line)
                self.log.write(line)
                text = note(line)
                if text:
                    progress.note(text)
        if child.returncode:
            self.log.flush()
            raise self.failure(command, "".join(said))

    def failure(self, command: list[str], said: str) -> MachineError:
        """What a person needs to know of a program that failed."""
        if _FULL_WORDS.search(said):
            free = os.statvfs(self.cache.directory)
            return full_disk(self.cache.directory, free.f_bavail * free.f_frsize)
        complaints = [line for line in said.splitlines() if _COMPLAINT.match(line)]
        quoted = (complaints or said.splitlines() or ["nothing"])[-1].strip()
        if _NETWORK_WORDS.search(said):
            network = [line for line in said.splitlines() if _NETWORK_WORDS.search(line)]
            return MachineError(
                f"the package archives cannot be reached: {network[0].strip()}",
                "look at the network, the proxy (http_proxy) and P2SLAB_MIRROR; without a network "
                "bring a private root from another machine: ./p2slab root import FILE",
            )
        program = next(word for word in command if not word.startswith(("-", "/usr/bin/env")))
        return MachineError(
            f"{os.path.basename(program)} failed while making the private root: {quoted}",
            f"all that it said is in {self.cache.directory}/make.log",
        )


def size_of(tree: str) -> int:
    """Bytes on disk of all files below `tree`."""
    return sum(
        os.lstat(os.path.join(directory, name)).st_blocks * 512
        for directory, _, files in os.walk(tree)
        for name in files
    )


def _lines_of(stream: IO[bytes], progress: Step) -> Iterator[str]:
    """The lines a program says; the progress line is drawn anew while it is silent."""
    rest = b""
    while True:
        if not select.select([stream], [], [], 0.5)[0]:
            progress.draw()
            continue
        chunk = os.read(stream.fileno(), 65536)
        if not chunk:
            break
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace") + "\n"
    if rest:
        yield rest.decode(errors="replace") + "\n"


def _apt_note(line: str) -> str:
    words = line.split()
    if line.startswith("Get:") and len(words) > 4:
        return f"downloading {words[4]}"
    if line.startswith(("Unpacking ", "Setting up ")):
        return " ".join(words[:3]).replace("Setting up", "setting up").lower()
    return ""


def _pip_note(line: str) -> str:
    words = line.split()
    if words[:1] in (["Collecting"], ["Downloading"]):
        return f"{words[0].lower()} {os.path.basename(words[1])}"
    return "installing" if words[:1] == ["Installing"] else ""
