"""`p2slab bench NAME`: one of tests/bench, each a program of its own that prints ratios."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from lab.errors import UsageError


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, name: str, arguments: tuple[str, ...]) -> None:
    """Run a benchmark: `lab` (building and removing worlds against ip -batch and raw netlink)."""
    source = Path(os.environ["P2SLAB_SOURCE"])
    files = (source / "tests/bench").glob("[a-z]*.py")
    known = sorted(path.stem.replace("_", "-") for path in files)
    if name not in known:
        raise UsageError(f"there is no benchmark {name!r}", f"one of: {', '.join(known)}")
    argv = [sys.executable, "-m", f"tests.bench.{name.replace('-', '_')}", *arguments]
    ctx.exit(subprocess.call(argv, cwd=source))
