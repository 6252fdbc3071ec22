"""Entering the private root: mounts in this process's namespace, then the tree's own Python.

/usr, /etc, /var and /run become the tree's; the other files of the host stay where they are.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import NoReturn

from lab.boot.source import EXAMPLE, PACKAGES, PROGRAM, is_checkout
from lab.boot.syscalls import (
    CLONE_NEWNS,
    MS_PRIVATE,
    MS_REC,
    attach_tree,
    bind,
    clone_tree,
    mount,
    unshare,
)
from lab.boot.users import is_machines_root, no_namespace
from lab.errors import MachineError

REPLACED = ("/usr", "/etc", "/var", "/run")
PYTHON = "/usr/lib/p2slab/venv/bin/python"
PATH = "/usr/lib/p2slab/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Files of the host in replaced directories are shown below this directory, at the same path. It is
# not in /run or /tmp, because every node has its own.
HOST = "/var/host"
# Where the packages of an installed p2slab are shown; nothing of the machine's has that path below.
INSTALLED = f"{HOST}/p2slab"
RUN_BASE = "/run/p2slab"
# The unmodified tree, read-only: the lower layer of nodes' /etc and /var.
LOWER = "/run/.root"

# Variables of the caller's environment that a lab keeps; a proxy or PYTHONPATH would affect it.
_KEPT = ("TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CI", "HOME", "USER",
         "LOGNAME", "SHELL", "PAGER", "TZ", "P2SLAB_MIRROR", "P2SLAB_NATIVE",
         "P2SLAB_P12_PASSWORD", "P2SLAB_SEED", "P2SLAB_SEEDS", "P2SLAB_ROUNDS",
         "HYPOTHESIS_PROFILE", "PYTEST_ADDOPTS",
         "SUDO_UID", "SUDO_GID", "SUDO_USER")  # fmt: skip


def is_replaced(path: str) -> bool:
    """Whether the private root's directories hide the host's `path`: the file, or its name, which
    may be a link's."""
    return any(
        place == directory or place.startswith(directory + "/")
        for place in (os.path.abspath(path), os.path.realpath(path))
        for directory in REPLACED
    )


def inside(path: str) -> str:
    """The path inside of the host's file `path`, given to replace_root as visible."""
    real = os.path.realpath(path)
    return HOST + real if is_replaced(real) else real


def outside(path: str | os.PathLike[str]) -> str:
    """The machine's own name of a file that is named as it is seen inside: the one for people."""
    name = os.fspath(path)
    return name[len(HOST) :] if name.startswith(f"{HOST}/") else name


def inside_nodes(path: str) -> str:
    """The path inside, also in nodes, of the host's file `path`, given as `everywhere`."""
    real = os.path.realpath(path)
    return HOST + real if is_replaced(real) or real.startswith("/tmp/") else real  # noqa: S108 (nodes have their own)


def code_inside(source: str) -> str:
    """Where the code of `source`, a checkout or what is installed, is seen inside and in nodes."""
    return inside_nodes(source) if is_checkout(source) else INSTALLED


def code_shown(source: str) -> dict[str, str]:
    """What has to be shown of it: by its place inside, the machine's directory."""
    if is_checkout(source):
        return {inside_nodes(source): source}
    return {f"{INSTALLED}/{name}": os.path.join(source, name) for name in PACKAGES}


def replace_root(
    tree: str,
    *,
    visible: list[str],
    code: str = "",
    everywhere: list[str] | None = None,
    run_base: str = "",
    writable: bool = False,
) -> None:
    """Unshare the mounts of this process and put the tree's directories over the machine's.

    `visible` are directories that stay reachable, at inside(directory), even where a replaced one
    hides them; `everywhere` those that nodes see too, at inside_nodes(directory), and so is `code`,
    at code_inside(code). `run_base` is shown at /run/p2slab. `writable`, /usr that is, is for the
    making of the tree only; what is written into /etc and /var never reaches the tree. Call it as
    root or after become_root; raises MachineError where mounting is refused.
    """
    refuse_unmerged()
    if not os.path.isdir(f"{tree}/usr"):
        raise MachineError(f"{tree} is no private root", f"{PROGRAM} root prune, then once more")
    shown = {inside(path): path for path in visible}
    shown.update({inside_nodes(path): path for path in everywhere or []})
    shown.update(code_shown(code) if code else {})
    shown = {place: path for place, path in shown.items() if place != os.path.realpath(path)}
    if run_base:
        shown[RUN_BASE] = run_base
    try:
        unshare(CLONE_NEWNS)
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        mask = os.umask(0o022)  # /etc and /var are for accounts without rights too
        _mount_tree(tree, shown, writable)
        os.umask(mask)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            raise no_namespace(error) from error
        raise MachineError(
            f"the private root cannot be entered: {error.strerror}",
            f"an overlay in a user namespace needs Linux 5.11; see {PROGRAM} doctor",
        ) from error


def _mount_tree(tree: str, shown: dict[str, str], writable: bool) -> None:
    """`shown`: mount points inside to directories of the host."""
    # Descriptors, since the following mounts hide the names; opened in the new mount namespace,
    # because the kernel binds no others.
    descriptors: list[int] = []

    def held(path: str) -> str:
        descriptors.append(os.open(path, os.O_PATH | os.O_CLOEXEC))
        return f"/proc/self/fd/{descriptors[-1]}"

    base = held(tree)
    # Cloned now, so that a shown /var does not include the mounts that follow.
    sources = {target: clone_tree(path) for target, path in sorted(shown.items())}
    mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
    _overlay(base, "etc")
    _overlay(base, "var")
    for target, source in sources.items():
        os.makedirs(target, exist_ok=True)
        attach_tree(source, target)
    os.mkdir(LOWER, 0o700)
    bind(base, LOWER, read_only=True)
    for directory in ("lock", "lab"):
        os.mkdir(f"/run/{directory}", 0o755)
    bind(f"{base}/usr", "/usr", read_only=not writable)
    for descriptor in descriptors:
        os.close(descriptor)


def _overlay(base: str, name: str) -> None:
    upper, work = f"/run/.{name}/upper", f"/run/.{name}/work"
    os.makedirs(upper)
    os.mkdir(work)
    options = f"lowerdir={base}/{name},upperdir={upper},workdir={work}"
    # An overlay needs writable attributes to remove a directory of the lower layer.
    options += "" if is_machines_root() else ",userxattr"
    mount("overlay", f"/{name}", "overlay", 0, options)


def refuse_unmerged() -> None:
    """Raise MachineError on a machine whose /bin is not a link into /usr."""
    if not os.path.islink("/bin"):
        raise MachineError(
            "on this machine /bin is a directory of its own; the private root replaces /usr, and "
            "so needs /bin, /sbin and /lib to be links into it (merged /usr)",
            "sudo apt-get install usrmerge, or another distribution",
        )


def environment(source: str, cache: str, run_base: str) -> dict[str, str]:
    """The environment of the private root's programs."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    if not is_checkout(source) or os.stat(source).st_uid != os.geteuid():
        # No bytecode of root's in a user's checkout, and none that pip does not know.
        kept["PYTHONPYCACHEPREFIX"] = os.path.join(inside_nodes(cache), "bytecode")
    return {
        **kept,
        "PATH": PATH,
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": code_inside(source),
        "P2SLAB_SOURCE": code_inside(source),
        "P2SLAB_CACHE": inside_nodes(cache),
        "P2SLAB_RUN": run_base,
        "P2SLAB_EXAMPLE": EXAMPLE,
    }


def execute(module: str, arguments: list[str], env: dict[str, str], directory: str) -> NoReturn:
    """Become the private root's Python, running a module of the checkout in `directory`.

    -P excludes that directory's modules: in /tmp they may be another user's.
    """
    os.chdir(directory)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(PYTHON, [PYTHON, "-P", "-m", module, *arguments], env)
    except OSError as error:
        raise MachineError(
            f"the private root's Python does not start: {error.strerror}",
            "is the cache on a file system mounted noexec? "
            f"Name another with P2SLAB_CACHE, or make it anew: {PROGRAM} root prune --all",
        ) from error
