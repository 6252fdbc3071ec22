"""Making layers of a private root: the programs to run, concurrently where possible."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import select
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Callable, NamedTuple

from lab.boot import host_settings, own
from lab.boot.cache import Cache, full_disk
from lab.boot.enter import PATH, PYTHON, environment, inside, replace_root
from lab.boot.layers import SUITE, debian_packages, in_order, lock_file, wheels
from lab.boot.preflight import NO_ARCHIVES
from lab.boot.progress import Board, Step, board, say
from lab.boot.source import PROGRAM
from lab.boot.syscalls import bind
from lab.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_HOME = "/usr/lib/p2slab"
_VENV = f"{_HOME}/venv"
_PIP_INSTALL = ("-m", "pip", "install", "--require-hashes", "--no-deps", "--no-input",
                "--disable-pip-version-check", "--root-user-action=ignore",
                "--progress-bar=off")  # fmt: skip
_APT_OPTIONS = ('APT::Install-Recommends "false"', 'Acquire::Languages "none"')
# A third of the files, and not needed in a lab.
_EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
# Downloads stay in the cache until they are unpacked: an interrupted run continues from there.
_FETCHED = {"lists": "/var/lib/apt/lists", "debs": "/var/cache/apt/archives"}
_SKIPPED = "check/empty,cleanup/apt/lists,cleanup/apt/cache"
# Files that mmdebstrap leaves behind, useless or in the way of its next run: the host's proxy and
# mirror, perhaps with passwords, devices, apt's package index.
_PASSING = ("etc/apt/apt.conf.d/99mmdebstrap", "etc/apt/sources.list", "etc/resolv.conf",
            "etc/hostname", "dev", "var/cache/apt/pkgcache.bin",
            "var/cache/apt/srcpkgcache.bin")  # fmt: skip
_NETWORK_WORDS = re.compile(
    r"Could not resolve|Temporary failure|Network is unreachable|Could not connect|"
    r"Connection (refused|timed out)|Unable to connect|No route to host|Failed to fetch|"
    r"NewConnectionError|Name or service not known|CERTIFICATE_VERIFY_FAILED"
)
_FULL_WORDS = re.compile(
    r"No space left on device|Disk quota exceeded|not enough free space", re.IGNORECASE
)
_COMPLAINT = re.compile(r"E: |ERROR: |dpkg: error")
_CHUNK = 65536


class Task(NamedTuple):
    """A program that is one step."""

    step: Step
    command: list[str]
    watch: Callable[[Step, str], None]
    """Called for each line of the program's output."""
    env: dict[str, str] | None = None
    enter: Callable[[], None] | None = None
    """Called in the new process, before the program."""
    wanted: bool = False
    """Optional: a failure is reported and ignored, because the root is complete without it."""


class Builder:
    """Makes layers in the directory `tree`, in a process with its own mount namespace."""

    def __init__(self, cache: Cache, tree: str) -> None:
        self.cache = cache
        self.tree = tree

    def base(self) -> None:
        """Debian with Python."""
        self._hold_fetched()
        with self._debian(["base"], "essential", _SKIPPED, weight=1.0) as task:
            self.run([task])
        self._clear_passing()

    def grow(self, layers: Iterable[str], source: str, *, listed: bool) -> None:
        """Add layers: Debian packages and Python packages concurrently. `listed`: the package lists
        are fresh."""
        names = in_order(layers)
        self._clear_passing()
        self._hold_fetched()
        packages = [name for name in names if debian_packages(name)]
        with contextlib.ExitStack() as stack:
            side_by_side: list[list[Task]] = []
            if packages:
                skipped = f"{_SKIPPED},update" if listed else _SKIPPED
                debian = self._debian(packages, "custom", skipped, weight=2.0)
                side_by_side.append([stack.enter_context(debian)])
            python = [self._python(name) for name in names if lock_file(name)]
            stock = [self._keys(source)] if "runner" in names else []
            side_by_side.append([*python, *stock])
            self.run(*side_by_side)
        self._clear_passing()

    def keys(self, source: str) -> None:
        """Fill the stock of RSA keys, which takes long later."""
        self.run([self._keys(source)])

    def run(self, *side_by_side: Sequence[Task]) -> None:
        """Run the programs of each sequence in order, and the sequences concurrently.

        Raises MachineError if one fails; the others are killed then.
        """
        steps = [task.step for sequence in side_by_side for task in sequence]
        with board(*steps) as shown, contextlib.ExitStack() as stack:
            under_way = [
                _Running(self, shown, sequence, stack) for sequence in side_by_side if sequence
            ]
            while under_way:
                ready, _, _ = select.select(under_way, [], [], 0.5)
                shown.draw()
                under_way = [one for one in under_way if one not in ready or one.goes_on()]

    # ------------------------------------------------------------------------------------- tasks

    @contextlib.contextmanager
    def _debian(
        self, names: list[str], variant: str, skipped: str, weight: float
    ) -> Iterator[Task]:
        packages = sorted(package for name in names for package in debian_packages(name))
        with host_settings.apt_settings(self.cache.directory) as (settings, mirror):
            command = [
                *("mmdebstrap", "--mode=root", f"--variant={variant}", "--verbose"),
                f"--include={','.join(packages)}",
                f"--skip={skipped}",
                *(f"--aptopt={option}" for option in (*_APT_OPTIONS, *settings)),
                *(f"--dpkgopt=path-exclude={pattern}" for pattern in _EXCLUDED),
                "--dpkgopt=force-unsafe-io",  # a tree that was cut short is never used
                *(SUITE, self.tree, *([mirror] if mirror else [])),
            ]
            step = Step(f"Debian {SUITE}: {', '.join(names)}", weight)
            yield Task(step, command, AptWatch())

    def _python(self, name: str) -> Task:
        """The virtual environment, every file checked against the lock's hashes."""
        home = self.tree + _HOME
        os.makedirs(home, exist_ok=True)
        lock = os.path.basename(shutil.copy(lock_file(name), home))
        settings = host_settings.collect()
        wheel = glob.glob(f"{self.tree}/usr/share/python-wheels/pip-*.whl")[0]
        env = {**settings.env, "PATH": PATH, "HOME": os.environ.get("HOME", "/root"),
               "LC_ALL": "C.UTF-8", "PYTHONPATH": wheel[len(self.tree):]}  # fmt: skip
        cached = self.cache.fetched("wheels")

        def enter() -> None:
            replace_root(self.tree, visible=[cached], writable=True)
            settings.write()

        install = [PYTHON, *_PIP_INSTALL, f"--cache-dir={inside(cached)}", "-r", f"{_HOME}/{lock}"]
        make = f"test -d {_VENV} || /usr/bin/python3 -m venv --without-pip {_VENV}"
        command = ["/bin/sh", "-c", f'{make} && exec "$@"', "sh", *install]
        step = Step(f"Python packages: {name}")
        return Task(step, command, PipWatch(len(wheels(name))), env, enter)

    def _keys(self, source: str) -> Task:
        env = environment(source, self.cache.directory, self.cache.run_base())

        def enter() -> None:
            replace_root(self.tree, visible=[], code=source, everywhere=[self.cache.directory])

        command = [PYTHON, "-P", "-m", "lab.pki.stock"]
        return Task(Step("RSA keys in stock", 0.2), command, _quote, env, enter, wanted=True)

    # ------------------------------------------------------------------------------------- places

    def _hold_fetched(self) -> None:
        """Bind-mount apt's directories to the cache; the mounts end with this process."""
        for name, place in _FETCHED.items():
            os.makedirs(self.tree + place, exist_ok=True)
            bind(self.cache.fetched(name), self.tree + place)

    def _clear_passing(self) -> None:
        for name in _PASSING:
            path = os.path.join(self.tree, name)
            if os.path.isdir(path):
                shutil.rmtree(path)
                os.mkdir(path, 0o755)
            elif os.path.lexists(path):
                os.unlink(path)

    def failure(self, program: str, said: list[str]) -> MachineError:
        """The error for a failed program, from its output."""
        if any(_FULL_WORDS.search(line) for line in said):
            return full_disk(self.cache.directory)
        network = [line for line in said if _NETWORK_WORDS.search(line)]
        if network:
            return MachineError(
                f"the package archives cannot be reached: {network[0].strip()}",
                f"{NO_ARCHIVES}; downloads are kept",
            )
        log = os.path.join(self.cache.directory, "make.log")
        descriptor = own.open_file(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.fchmod(descriptor, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in said)
        complaints = [line for line in said if _COMPLAINT.match(line)]
        quoted = (complaints or said or ["no output"])[-1].strip()
        return MachineError(
            f"{program} failed while making the private root: {quoted}",
            f"its output is in {log}; downloads are kept, run it again",
        )


class _Running:
    """A running sequence of programs; the current one is killed when the stack is left."""

    def __init__(
        self,
        builder: Builder,
        shown: Board,
        tasks: Sequence[Task],
        stack: contextlib.ExitStack,
    ) -> None:
        self._builder = builder
        self._board = shown
        self._left = list(tasks)
        self._said: list[str] = []
        self._rest = b""
        stack.callback(self._kill)
        self._next()

    def fileno(self) -> int:
        """The descriptor of the pipe from the program."""
        assert self._child.stdout
        return self._child.stdout.fileno()

    def goes_on(self) -> bool:
        """Read the program's output; whether the sequence goes on."""
        chunk = os.read(self.fileno(), _CHUNK)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if not chunk and self._rest:
            lines, self._rest = [self._rest], b""
        for line in lines:
            self._hear(host_settings.without_logins(line.decode(errors="replace")))
        if chunk:
            return True
        self._conclude()
        if not self._left:
            return False
        self._kill()  # it has ended; its pipe is closed
        self._next()
        return True

    def _next(self) -> None:
        self._task = self._left.pop(0)
        self._said = []
        self._board.begin(self._task.step)
        try:
            self._child = subprocess.Popen(
                self._task.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self._task.env,
                preexec_fn=self._task.enter,  # noqa: PLW1509 (one thread)
                cwd="/",
                start_new_session=True,
            )
        except subprocess.SubprocessError as error:
            raise MachineError(
                "the half-made root cannot be entered", f"{PROGRAM} doctor"
            ) from error

    def _hear(self, line: str) -> None:
        self._said.append(line)
        self._task.watch(self._task.step, line)

    def _conclude(self) -> None:
        failed = self._child.wait()
        if failed and not self._task.wanted:
            name = os.path.basename(self._task.command[0])
            raise self._builder.failure(name, self._said)
        if failed:
            say(f"  {self._task.step.title}: {(self._said or ['failed'])[-1].strip()}; "
                "they are made when they are needed")  # fmt: skip
        self._board.finish(self._task.step)

    def _kill(self) -> None:
        if self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
        assert self._child.stdout
        self._child.stdout.close()


class AptWatch:
    """Progress from apt's output: each package is fetched, unpacked and set up."""

    _STAGES = (("Get:", "fetching", 4), ("Unpacking ", "unpacking", 1),
               ("Setting up ", "setting up", 2))  # fmt: skip
    _TOTAL = re.compile(r"\d+ upgraded, (\d+) newly installed")

    def __init__(self) -> None:
        self._packages = 1
        self._seen = 0

    def __call__(self, step: Step, line: str) -> None:
        """Take a line."""
        total = self._TOTAL.search(line)
        self._packages = int(total.group(1)) or 1 if total else self._packages
        words = line.split()
        for start, note, at in self._STAGES:
            if line.startswith(start) and len(words) > at:
                self._seen += 1
                step.note = f"{note} {words[at]}"
                step.done = min(self._seen / (3 * self._packages), 0.99)


class PipWatch:
    """Progress from pip's output: each package is collected, then all are installed."""

    def __init__(self, packages: int) -> None:
        self._packages = packages
        self._seen = 0

    def __call__(self, step: Step, line: str) -> None:
        """Take a line."""
        words = line.split()
        if words[:1] == ["Collecting"]:
            self._seen += 1
            step.note = f"collecting {words[1]}"
            step.done = min(self._seen / (2 * self._packages), 0.5)
        elif words[:1] == ["Installing"]:
            step.note = "installing"


def size_of(tree: str) -> int:
    """Bytes on disk of all files below `tree`."""
    return sum(
        os.lstat(os.path.join(directory, name)).st_blocks * 512
        for directory, _, files in os.walk(tree)
        for name in files
    )


def _quote(step: Step, line: str) -> None:
    step.note = line.strip()
