"""Making the private root layer by layer, and removing old and unfinished ones.

A root is made in a temporary directory and renamed at the end, so a tree with the final name is
complete. A root with more layers starts as hard links to the one with fewer, which stays unchanged
for its users. Making and removing hold the cache's lock.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Callable

from lab.boot import own, tools
from lab.boot.build import Builder
from lab.boot.cache import HALF_MADE, Cache, layers_of, needed_bytes
from lab.boot.join import base_of_labs, running_labs
from lab.boot.layers import in_order
from lab.boot.preflight import refuse_machine
from lab.boot.progress import say
from lab.boot.source import PROGRAM
from lab.boot.versions import versions_in
from lab.boot.work import as_pid_one
from lab.errors import MachineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

# First in an exported root, so that an import can check it before unpacking.
LABEL = "p2slab-root.json"


def make_root(
    cache: Cache,
    key: str,
    wanted: frozenset[str],
    source: str,
    *,
    install: bool,
    for_lab: bool = False,
) -> str:
    """The private root with this key and at least these layers; made if it does not exist.

    `for_lab`: first check what a lab needs in addition to making the root.
    """
    tree = cache.best(key)
    there = layers_of(tree) if tree else frozenset()
    if tree and wanted <= there:
        return tree
    refuse_machine(cache, needed_bytes(wanted - there), for_lab=for_lab)
    with locked(cache):
        tree = cache.best(key)
        there = layers_of(tree) if tree else frozenset()
        lacking = in_order(wanted - there)
        if not lacking:  # another process has made it meanwhile
            return tree
        missing = tools.missing_packages()
        if missing:
            tools.provide(missing, install=install)
        say(f"p2slab: making the private root in {cache.directory}: {', '.join(lacking)}\n"
            "  (once; nothing is installed on the machine)")  # fmt: skip
        fresh = not tree
        if fresh:
            tree = cache.tree(key, ["base"])
            fill_root(cache, tree, lambda new: Builder(cache, new).base(), key, source)
            lacking.remove("base")
        grown = cache.tree(key, wanted | there)

        def grow(new: str) -> None:
            _link(tree, new)
            Builder(cache, new).grow(lacking, source, listed=fresh)

        fill_root(cache, grown, grow, key, source)
        _tell_of_newer(tree, grown)
        _clear(cache, grown, source)
        return grown


def fill_root(cache: Cache, tree: str, fill: Callable[[str], None], key: str, source: str) -> None:
    """Let `fill` write a whole root into a directory, label it, and rename it to `tree`.

    The caller holds the lock. Unfinished roots of earlier attempts are removed first.
    """
    unfinished = f"{tree}{HALF_MADE}{os.getpid()}"

    def work() -> None:
        os.umask(0o022)  # accounts without rights use the tree too
        for remains in unfinished_trees(cache):
            say(f"  removing {os.path.basename(remains)}, which was not finished")
            shutil.rmtree(remains)
        os.mkdir(unfinished, 0o755)
        fill(unfinished)
        _label(unfinished, key, layers_of(tree), source)
        os.rename(unfinished, tree)

    as_pid_one(work, undo=lambda: shutil.rmtree(unfinished, ignore_errors=True))


def prune(cache: Cache, keep: str) -> list[str]:
    """Remove every root except the tree `keep` (empty: none); the removed directories.

    UsageError while a lab runs, because it may use one of them. A root in use by another process of
    the launcher stays, with a message.
    """
    running = running_labs(base_of_labs(cache.run_bases()))
    if running:
        raise UsageError(
            f"running labs use private roots: {', '.join(running)}",
            f"take them down first: {PROGRAM} down {running[0]}",
        )
    with locked(cache):
        return _remove_free(cache, [tree for tree in cache.trees() if tree != keep], tell=True)


def unfinished_trees(cache: Cache) -> list[str]:
    """Unfinished roots; if the caller holds the lock, no process is making one of them."""
    return [tree for tree in cache.trees() if HALF_MADE in tree]


def label_of(tree: str) -> dict[str, object]:
    """The label of a root; empty if it cannot be read."""
    try:
        with open(os.path.join(tree, LABEL), encoding="utf-8") as file:
            said = json.load(file)
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


@contextlib.contextmanager
def locked(cache: Cache) -> Iterator[None]:
    """Hold the cache's lock; print a message while another process has it."""
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


def _link(tree: str, new: str) -> None:
    """Hard-link all files of a tree into another one."""
    copied = subprocess.run(
        ["cp", "--archive", "--link", f"{tree}/.", new],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if copied.returncode:
        raise MachineError(
            f"{tree} cannot be hard-linked: {copied.stderr.strip().splitlines()[:1]}",
            "set P2SLAB_CACHE to a directory on a native Linux file system",
        )


def _tell_of_newer(old: str, new: str) -> None:
    """Print packages that a new layer has updated: the archive may have newer versions."""
    before, after = label_of(old).get("versions"), label_of(new).get("versions")
    if isinstance(before, dict) and isinstance(after, dict):
        newer = [f"{name} {after[name]}" for name in before if after.get(name, "") != before[name]]
        if newer:
            say(f"  newer than in the layers below: {', '.join(newer)}")


def _label(tree: str, key: str, layers: frozenset[str], source: str) -> None:
    label = {
        "key": key,
        "machine": os.uname().machine,
        "layers": in_order(layers),
        "checkout": source,
        "versions": versions_in(tree),
    }
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(tree, LABEL))  # a link to another root's
    with open(os.path.join(tree, LABEL), "w", encoding="utf-8") as file:
        json.dump(label, file, indent=1)


def _clear(cache: Cache, made: str, source: str) -> None:
    """Remove what a new root has made useless: its downloads and, unless a lab runs, the roots with
    fewer layers and those of an earlier state of this checkout."""
    if any(map(running_labs, cache.run_bases())):
        _remove([cache.fetched()])
        return
    key = label_of(made).get("key")
    labels = {tree: label_of(tree) for tree in cache.trees() if tree != made}
    grown_from = [tree for tree, label in labels.items() if label.get("key") == key]
    earlier = [tree for tree, label in labels.items()
               if label.get("key") != key and label.get("checkout") == source]  # fmt: skip
    for tree in _remove_free(cache, [*grown_from, *earlier], tell=False):
        if tree in earlier:
            say(f"  removed {tree}, which an earlier state of this checkout used")


def _remove_free(cache: Cache, condemned: list[str], *, tell: bool) -> list[str]:
    """Remove the roots that are not in use, and all downloads; the removed roots."""
    with contextlib.ExitStack() as stack:  # new users wait until they are removed
        free = [tree for tree in condemned if _nobodys(cache, tree, stack, tell=tell)]
        _remove([*free, cache.fetched()])
    return free


def _remove(directories: list[str]) -> None:
    def work() -> None:
        for directory in directories:
            shutil.rmtree(directory)

    as_pid_one(work, undo=lambda: None)


def _nobodys(cache: Cache, tree: str, stack: contextlib.ExitStack, *, tell: bool) -> bool:
    """Whether no process uses the tree (the launcher has a shared lock on it). If so, it is locked
    until the stack is left."""
    if HALF_MADE in tree:
        return True
    held = own.lock(cache.in_use(tree), "", say, wait=False)
    if held is None:
        if tell:
            say(f"p2slab: {tree} stays, it is in use")
        return False
    stack.callback(os.close, held)
    return True
