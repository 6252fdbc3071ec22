"""`p2slab exec NODE [--] CMD...`: run a program in a node."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from lab.choices import did_you_mean
from lab.cli.labs import name_option, opened
from lab.errors import UsageError
from lab.runtime.enter import enter

if TYPE_CHECKING:
    from lab.runtime.handle import Handle

LIMIT = 3600.0
"""Seconds for a program in several nodes."""


@click.command(context_settings={"allow_interspersed_args": False})
@name_option
@click.argument("node", metavar="NODE[,NODE]...")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="CMD...")
@click.pass_context
def command(ctx: click.Context, name: str | None, node: str, argv: tuple[str, ...]) -> None:
    """Run a program in a node of a running lab.

    The program has this command's terminal, pipes, signals and exit code. A -- before CMD is
    dropped. In several nodes it runs at the same time and without input; each line of its output
    begins with the node's name, and the exit code is the highest.
    """
    program = argv[1:] if argv[0] == "--" else argv
    if not program:
        raise UsageError("no program is given", f"p2slab exec {node} -- ls /")
    lab = opened(name)
    nodes = [one for one in node.split(",") if one]
    if len(nodes) < 2:
        ctx.exit(enter(lab.enter(node), program))
    ctx.exit(_everywhere(lab, nodes, program))


def _everywhere(lab: Handle, nodes: list[str], program: tuple[str, ...]) -> int:
    """Run the program in several nodes; the highest exit code."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 (for several only)

    known = [row["name"] for row in lab.status()["nodes"]]
    wrong = [node for node in nodes if node not in known]
    if wrong:
        raise UsageError(
            "\n".join(f"lab {lab.name} has no node {node!r}; {did_you_mean(node, known)}"
                      for node in wrong)
        )  # fmt: skip
    with ThreadPoolExecutor(len(nodes)) as pool:
        ends = pool.map(lambda node: lab.exec(node, program, limit=LIMIT), nodes)
        codes = []
        for node, ended in zip(nodes, ends, strict=True):
            for stream, text in ((sys.stdout, ended.stdout), (sys.stderr, ended.stderr)):
                stream.writelines(f"{node}: {line}\n" for line in text.splitlines())
            codes.append(ended.code if ended.code >= 0 else 128 - ended.code)
    return max(codes)
