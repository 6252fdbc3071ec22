"""The steps of making a private root, each a program or two run under a line of progress."""

from __future__ import annotations

import glob
import os
import re
import select
import shutil
import subprocess
from typing import IO, TYPE_CHECKING, Callable

from lab.boot import carry, own
from lab.boot.cache import SUITE, Cache, full_disk, wheel_count
from lab.boot.enter import PATH, PYTHON, environment, replace_root
from lab.boot.preflight import NO_ARCHIVES
from lab.boot.progress import Step, megabytes, step
from lab.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
_FULL_WORDS = re.compile(
    r"No space left on device|Disk quota exceeded|not enough free space", re.IGNORECASE
)
_COMPLAINT = re.compile(r"E: |ERROR: |dpkg: error")


class Builder:
    """The steps of one making, in the directory `tree`."""

    def __init__(self, cache: Cache, tree: str) -> None:
        self.cache = cache
        self.tree = tree

    def packages(self, names: list[str]) -> None:
        """The Debian tree."""
        title = f"Debian {SUITE}, {len(names)} packages named"
        reaching = carry.apt_settings(self.cache.directory)
        with reaching as (settings, mirror), step(title) as progress:
            command = [
                *("mmdebstrap", "--mode=root", "--variant=essential", "--verbose"),
                f"--include={','.join(names)}",
                *(f"--aptopt={option}" for option in (*_APT_OPTIONS, *settings)),
                *(f"--dpkgopt=path-exclude={pattern}" for pattern in _EXCLUDED),
                *(SUITE, self.tree, *([mirror] if mirror else [])),
            ]
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
        if not os.path.exists(os.path.join(source, "lab", "pki", "stock.py")):
            return
        env = environment(source, self.cache.directory, self.cache.run_base())

        def enter() -> None:
            replace_root(self.tree, visible=[], everywhere=[source, self.cache.directory])

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
        """Run a program to its end, showing what `note` makes of its lines.

        Raises MachineError if it fails.
        """
        said: list[str] = []
        try:
            with subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=env,
                preexec_fn=enter,  # noqa: PLW1509 (one thread)
                cwd="/",
            ) as child:
                assert child.stdout
                for line in map(carry.without_logins, _lines_of(child.stdout, progress)):
                    said.append(line)
                    progress.note(note(line))
        except subprocess.SubprocessError as error:
            raise MachineError("the half-made root cannot be entered", "./p2slab doctor") from error
        if child.returncode:
            raise self._failure(os.path.basename(command[0]), said)

    def _failure(self, program: str, said: list[str]) -> MachineError:
        """What a person needs to know of a program that failed."""
        if any(_FULL_WORDS.search(line) for line in said):
            return full_disk(self.cache.directory)
        network = [line for line in said if _NETWORK_WORDS.search(line)]
        if network:
            return MachineError(
                f"the package archives cannot be reached: {network[0].strip()}",
                NO_ARCHIVES,
            )
        log = os.path.join(self.cache.directory, "make.log")
        descriptor = own.open_file(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.fchmod(descriptor, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in said)
        complaints = [line for line in said if _COMPLAINT.match(line)]
        quoted = (complaints or said or ["it said nothing"])[-1].strip()
        return MachineError(
            f"{program} failed while making the private root: {quoted}",
            f"all that it said is in {log}",
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
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")


def _apt_note(line: str) -> str:
    words = line.split()
    if line.startswith("Get:") and len(words) > 4:
        return f"downloading {words[4]}"
    for start, note in (("Unpacking ", "unpacking"), ("Setting up ", "setting up")):
        if line.startswith(start):
            return f"{note} {line.split()[len(start.split())]}"
    return ""


def _pip_note(line: str) -> str:
    words = line.split()
    if words[:1] in (["Collecting"], ["Downloading"]):
        return f"{words[0].lower()} {os.path.basename(words[1])}"
    return "installing" if words[:1] == ["Installing"] else ""
