"""Making the private root, removing what is old or half made.

A root is made in a directory of its own and renamed at the end, so a tree with the right name is
whole. Whoever makes or removes one holds the cache's lock.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
from typing import TYPE_CHECKING, Callable

from lab.boot import own, tools
from lab.boot.build import Builder
from lab.boot.cache import Cache, package_names
from lab.boot.join import running_labs
from lab.boot.preflight import refuse_machine
from lab.boot.progress import say
from lab.boot.work import as_pid_one
from lab.errors import MachineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Bytes on disk that the making needs at its peak, downloads included.
NEEDED = 900_000_000
HALF_MADE = ".making-"
# First in an exported root, so that an import can tell at once whether it is the right one.
LABEL = "p2slab-root.json"


def make_root(cache: Cache, key: str, source: str, *, install: bool, for_lab: bool = False) -> None:
    """Make the private root with this key, unless another process has made it meanwhile.

    `for_lab`: what a lab needs and the making does not is asked for first, too.
    """
    refuse_machine(cache, NEEDED, for_lab=for_lab)
    with locked(cache):
        if os.path.isdir(cache.tree(key)):
            return
        missing = tools.missing_packages()
        if missing:
            tools.provide(missing, install=install)
        say(
            f"p2slab: making the private root in {cache.tree(key)}\n"
            "  (once: about half a minute and half a gigabyte; nothing is installed on the machine)"
        )
        fill_root(cache, key, lambda tree: _build(cache, key, tree, source))


def fill_root(cache: Cache, key: str, fill: Callable[[str], None]) -> None:
    """Let `fill` put a whole root into a directory, and give it its name when that has worked.

    The caller holds the lock. What earlier attempts left unfinished is removed first.
    """
    tree = cache.tree(key)
    unfinished = f"{tree}{HALF_MADE}{os.getpid()}"

    def work() -> None:
        for remains in unfinished_trees(cache):
            say(f"  removing {os.path.basename(remains)}, which was not finished")
            shutil.rmtree(remains)
        os.mkdir(unfinished, 0o755)
        fill(unfinished)
        os.rename(unfinished, tree)

    as_pid_one(work, undo=lambda: shutil.rmtree(unfinished, ignore_errors=True))


def prune(cache: Cache, keep: str | None) -> list[str]:
    """Remove every root but the one with the key `keep`; the directories that went.

    Refused while a lab runs, for it may run in one of them. One that another process of the
    launcher's is in stays, and is told of.
    """
    running = running_labs(cache.run_base())
    if running:
        raise UsageError(
            f"labs run, and private roots are in use: {', '.join(running)}",
            f"take them down first: ./p2slab down {running[0]}",
        )
    with locked(cache):
        condemned = [tree for tree in trees(cache) if not keep or tree != cache.tree(keep)]
        with contextlib.ExitStack() as stack:  # whoever comes now waits until they are gone
            free = [tree for tree in condemned if _nobodys(cache, tree, stack)]
            as_pid_one(lambda: _remove(free), undo=lambda: None)
        return free


def trees(cache: Cache) -> list[str]:
    """Every private root in the cache, finished or not."""
    return sorted(glob.glob(os.path.join(glob.escape(cache.directory), "root-*")))


def unfinished_trees(cache: Cache) -> list[str]:
    """Roots whose making was cut short (none of them still runs if the caller holds the lock)."""
    return [tree for tree in trees(cache) if HALF_MADE in tree]


@contextlib.contextmanager
def locked(cache: Cache) -> Iterator[None]:
    """Hold the cache's lock; say so when another process has it."""
    cache.make()
    path = os.path.join(cache.directory, "root.lock")
    try:
        lock = own.lock(path, "making the private root", say)
    except OSError as error:
        raise MachineError(
            f"the cache {cache.directory} cannot be written: {error.strerror}",
            "name another directory with P2SLAB_CACHE",
        ) from error
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _remove(directories: list[str]) -> None:
    for directory in directories:
        shutil.rmtree(directory)


def _nobodys(cache: Cache, tree: str, stack: contextlib.ExitStack) -> bool:
    """Whether nobody is in the tree (the launcher holds it with a shared lock); then nobody will
    be until the stack is left."""
    if HALF_MADE in tree:
        return True
    key = os.path.basename(tree)[len("root-") :]
    held = own.lock(cache.in_use(key), "", say, wait=False)
    if held is None:
        say(f"p2slab: {tree} stays, somebody is in it")
        return False
    stack.callback(os.close, held)
    return True


def _build(cache: Cache, key: str, tree: str, source: str) -> None:
    lists = os.path.join(source, "lab", "boot")
    builder = Builder(cache, tree)
    builder.packages(package_names(lists))
    builder.python(lists)
    builder.keys(source)
    with open(os.path.join(tree, LABEL), "w", encoding="utf-8") as file:
        json.dump({"key": key, "machine": os.uname().machine}, file)
