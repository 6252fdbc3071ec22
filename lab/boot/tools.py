"""The programs that the machine itself must have to make a private root, and getting them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys

from lab.boot.progress import say
from lab.boot.source import PROGRAM
from lab.errors import MachineError

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def missing_packages() -> list[str]:
    """The Debian packages that this machine lacks to make a private root as this user."""
    missing = []
    if not shutil.which("mmdebstrap"):
        missing.append("mmdebstrap")
    if not os.path.exists(_KEYRING):
        missing.append("debian-archive-keyring")
    if os.geteuid() != 0 and not (shutil.which("newuidmap") and shutil.which("newgidmap")):
        missing.append("uidmap")
    return missing


def provide(packages: list[str], *, install: bool) -> None:
    """Install `packages` with apt-get, through sudo for a user, saying so first.

    Without `install`, or where that cannot be done, raise MachineError with the command to type.
    """
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise MachineError(
            f"this machine lacks {names}, and has no apt-get to install it with",
            f"install {names} with this system's own package manager, or bring a private root from "
            f"another machine: {PROGRAM} root import FILE",
        )
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    command = [*sudo, "apt-get", "install", "-y", "--no-install-recommends", *packages]
    advice = MachineError(f"this machine lacks {names}", shlex.join(command))
    if not install or (sudo and not shutil.which("sudo")):
        raise advice
    say(f"p2slab: this machine lacks {names}; installing with: {shlex.join(command)}")
    # A fresh machine has no package lists, and old ones name files that are gone.
    update = [*sudo, "apt-get", "update"]
    if _run(command) and (_run(update) or _run(command)):
        raise MachineError(f"{names} could not be installed, see above", shlex.join(command))


def _run(command: list[str]) -> int:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.call(command, env=env, stdout=sys.stderr.fileno())
