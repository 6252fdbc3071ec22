"""`p2slab bench NAME`: run one of the programs in tests/bench, which print ratios."""

from __future__ import annotations

import os
import re
import runpy
import sys
from pathlib import Path

import click

from lab.cli.signals import restore
from lab.cli.words import listing, refuse_unknown


def benchmarks() -> dict[str, str]:
    """The benchmarks' names and first sentences. A program is a benchmark if its docstring has its
    `p2slab bench` command; the other files in the directory are parts of benchmarks."""
    directory = Path(os.environ["P2SLAB_SOURCE"], "tests/bench")
    found = {}
    for path in sorted(directory.glob("[a-z]*.py")):
        name = path.stem.replace("_", "-")
        text = " ".join(path.read_text().split('"""')[1].split("\n\n")[0].split())
        sentence = re.sub(rf"\s*\(?`p2slab bench {name}\b[^`]*`\)?", "", text)
        if sentence != text:
            found[name] = sentence.strip(" .:")
    return found


@click.command(
    cls=listing("Benchmarks", benchmarks), context_settings={"ignore_unknown_options": True}
)
@click.argument("name")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(name: str, arguments: tuple[str, ...]) -> None:
    """Run a benchmark, with its own ARGUMENTS.

    Example: p2slab bench soak --minutes 10
    """
    refuse_unknown("benchmark", name, benchmarks(), "bench")
    os.chdir(os.environ["P2SLAB_SOURCE"])
    module = f"tests.bench.{name.replace('-', '_')}"
    restore()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
