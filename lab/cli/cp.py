"""`p2slab cp FROM TO`: copy files into a node, or out of it."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.boot.enter import outside
from lab.cli.labs import name_option, opened
from lab.errors import UsageError

if TYPE_CHECKING:
    from lab.runtime.handle import Handle

MOST = 64 << 20
"""Bytes, with what tar adds."""
LIMIT = 120.0
_OUT = (
    'test -e "$1" || { echo "no such file" >&2; exit 1; }; '
    f'tar -C "$(dirname -- "$1")" -cf - -- "$(basename -- "$1")" | head -c {MOST + 1} | base64'
)
_IN = 'base64 -d | tar -C "$1" --no-same-owner -xf -'


@click.command()
@click.argument("source", metavar="FROM", type=click.Path())
@click.argument("target", metavar="TO", type=click.Path())
@name_option
def command(source: str, target: str, name: str | None) -> None:
    """Copy a file or a directory: one of FROM and TO is NODE:PATH, with an absolute PATH.

    A directory TO that exists gets the copy in it, as with cp. In a node, /run, /tmp, /etc and /var
    can be written.
    """
    there, here = _remote(source), _remote(target)
    if (there is None) == (here is None):
        raise UsageError("one of FROM and TO must be NODE:PATH, and the other a file here",
                         "p2slab cp alice:/etc/resolv.conf .")  # fmt: skip
    lab = opened(name)
    if there:
        _fetch(lab, *there, Path(target))
    elif here:
        _send(lab, Path(source), *here)


def _remote(word: str) -> tuple[str, str] | None:
    """Node and path; None for a file here, which may be written ./NAME."""
    node, colon, path = word.partition(":")
    if not colon or "/" in node:
        return None
    if not path.startswith("/"):
        raise UsageError(f"{word}: the path in a node must be absolute", f"{node}:/{path}")
    return node, path


def _fetch(lab: Handle, node: str, path: str, target: Path) -> None:
    done = lab.exec(node, ["sh", "-c", _OUT, "sh", path], limit=LIMIT)
    packed = base64.b64decode(done.stdout)
    if done.code or done.stderr or len(packed) > MOST:
        said = done.stderr.strip() or f"larger than {MOST >> 20} MB"
        raise UsageError(f"{node}:{path}: {said}", f"p2slab exec {node} -- ls {path}")
    name = Path(path).name
    place = target / name if target.is_dir() else target
    if place.exists() and not (place.is_file() or place.is_dir()):  # a device would be replaced
        raise UsageError(f"{outside(place)} exists and is no regular file", "name another")
    try:
        # tar, not tarfile, which refuses nothing before Python 3.12: the node's programs may have
        # prepared what is there. What comes out is moved to its place as a whole.
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".p2slab-") as draft:
            argv = ["tar", "-C", draft, "--no-same-owner", "-xf", "-"]
            done_here = subprocess.run(argv, input=packed, capture_output=True, check=False)
            if done_here.returncode:
                raise UsageError(f"{node}:{path}: {done_here.stderr.decode(errors='replace')}")
            Path(draft, name).rename(place)
    except OSError as error:
        raise UsageError(
            f"{outside(place)} cannot be written: {error.strerror}", "name another"
        ) from None


def _send(lab: Handle, source: Path, node: str, path: str) -> None:
    is_directory = lab.exec(node, ["test", "-d", path]).code == 0
    where, name = (path, source.name) if is_directory else os.path.split(path.rstrip("/"))
    packed = io.BytesIO()
    try:
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(source, arcname=name or source.name)
    except OSError as error:
        raise UsageError(f"{outside(source)}: {error.strerror}", "name a file here") from None
    if packed.tell() > MOST:
        raise UsageError(f"{outside(source)} is larger than {MOST >> 20} MB", "copy parts of it")
    text = base64.b64encode(packed.getvalue()).decode()
    done = lab.exec(node, ["sh", "-c", _IN, "sh", where or "/"], input=text, limit=LIMIT)
    if done.code:
        raise UsageError(f"{node}:{path}: {done.output}", "in a node, /run, /tmp, /etc and /var")
