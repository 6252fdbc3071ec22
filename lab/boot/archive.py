"""Export and import of a private root, for machines without mmdebstrap or network, and for CI.

A file whose name ends in `.tar` is not compressed, any other is gzipped; an import takes both.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from typing import Any

from lab.boot.build import Builder
from lab.boot.cache import Cache, layers_of
from lab.boot.layers import ORDER, in_order
from lab.boot.make import LABEL, fill_root, locked
from lab.boot.progress import megabytes, say, step
from lab.boot.source import PROGRAM
from lab.boot.work import as_pid_one
from lab.errors import MachineError, UsageError

# The rest of a Debian tree is not used: a lab sees the machine's directories instead.
_CARRIED = ("usr", "etc", "var")


def export_root(cache: Cache, key: str, file: str) -> None:
    """Write the private root to a tarball, label first, with the owners seen inside."""
    tree = cache.best(key)
    if not tree:
        raise UsageError("there is no private root to export", f"{PROGRAM} root make")
    target = os.path.abspath(file)
    unfinished = f"{target}.part"

    def work() -> None:
        with step(f"writing {file}") as progress:
            # Level 3 takes half the time of gzip's default for a few per cent more bytes.
            how = [] if file.endswith(".tar") else ["--use-compress-program=gzip -3"]
            _tar(*how, "-cf", unfinished, "-C", tree, LABEL, *_CARRIED)
            progress.result = megabytes(os.stat(unfinished).st_size)
        os.rename(unfinished, target)

    def undo() -> None:
        if os.path.exists(unfinished):
            os.unlink(unfinished)

    as_pid_one(work, undo)


def import_root(cache: Cache, key: str, source: str, file: str) -> None:
    """Unpack an exported private root; UsageError if it is not the one that this checkout needs."""
    layers = _layers(file, key)
    tarball = os.path.abspath(file)

    def fill(tree: str) -> None:
        with step(f"unpacking {file}"):
            _tar("-xpf", tarball, "-C", tree)
        Builder(cache, tree).keys(source)

    with locked(cache):
        there = cache.best(key)
        if there and layers <= layers_of(there):
            say(f"p2slab: {there} already exists, with {', '.join(in_order(layers))}")
        else:
            fill_root(cache, cache.tree(key, layers), fill, key, source)


def _layers(file: str, key: str) -> frozenset[str]:
    """The layers in the tarball; UsageError if it is not this checkout's."""
    label = _label(file)
    if label.get("key") != key:
        raise UsageError(
            f"{file} has the private root {label.get('key', '(none)')}, and this checkout needs "
            f"{key}: it is from another version of p2slab, or for another processor",
            "export it from the same version of p2slab",
        )
    said = label.get("layers")
    layers = [name for name in ORDER if isinstance(said, list) and name in said]
    if said != layers or layers[:2] != [*ORDER[:2]]:
        raise UsageError(f"{file}: its label does not list its layers", "export it again")
    return frozenset(layers)


def _label(file: str) -> dict[str, Any]:
    try:
        with tarfile.open(file, "r:*") as archive:
            first = archive.next()
            member = archive.extractfile(first) if first and first.name == LABEL else None
            said = json.load(member) if member else {}
            return said if isinstance(said, dict) else {}
    except FileNotFoundError:
        raise UsageError(f"{file}: no such file") from None
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        raise UsageError(
            f"{file} cannot be read as an exported private root: {error}",
            f"make one with {PROGRAM} root export FILE.tar[.gz]",
        ) from error


def _tar(*arguments: str) -> None:
    """Run the machine's tar."""
    run = subprocess.run(
        ["tar", "--numeric-owner", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if run.returncode:
        said = run.stderr.strip().splitlines() or ["no output"]
        raise MachineError(
            f"tar failed: {said[0]}", "is the disk full, or the file truncated? Copy it again"
        )
