"""`p2slab validate FILE...`: check topology files without building anything."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from lab.boot.enter import outside
from lab.choices import counted
from lab.errors import HELD, USAGE


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per file.")
@click.pass_context
def command(ctx: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Check topology files. Needs no privileges and builds nothing.

    Every problem of every file is printed as FILE:LINE:COLUMN: PROBLEM; REMEDY. Exit code 2 if
    there is any. Warnings go to stderr; a file with warnings is ok.
    """
    answers = [_answer(file) for file in files]
    if as_json:
        click.echo(json.dumps(answers, indent=2))
    else:
        for answer in answers:
            _print(answer)
    ctx.exit(HELD if all(answer["ok"] for answer in answers) else USAGE)


def _answer(file: Path) -> dict[str, Any]:
    from lab.topology.load import load  # noqa: PLC0415 (not for --help)
    from lab.topology.reading.problems import LoadError  # noqa: PLC0415 (as above)

    try:
        found = load(file)
        plan = found.plan()
    except LoadError as error:
        problems = [asdict(problem) for problem in error.problems]
        return {"file": outside(file), "ok": False, "problems": problems, "warnings": []}
    return {
        "file": outside(file),
        "ok": True,
        "problems": [],
        "warnings": [asdict(warning) for warning in found.warnings],
        "name": plan.name,
        "nodes": len(plan.nodes),
        "clients": len(plan.clients),
        "steps": len(plan.steps),
    }


def _print(answer: dict[str, Any]) -> None:
    from lab.topology.reading.problems import Located  # noqa: PLC0415 (as above)

    if answer["ok"]:
        nouns = ("node", "client", "step")
        counts = ", ".join(counted(answer[f"{noun}s"], noun) for noun in nouns)
        click.echo(f"{answer['file']}: ok ({counts})")
    for warning in answer["warnings"]:
        click.echo(Located(**warning).as_warning, err=True)
    for problem in answer["problems"]:
        tail = f"; {problem['remedy']}" if problem["remedy"] else ""
        click.echo("{file}:{line}:{column}: {message}".format(**problem) + tail)
