"""`p2slab check [STEP...]`: check a running lab."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from lab.cli.labs import name_option, opened
from lab.cli.steps import json_option, run
from lab.errors import EXPECTATION_FAILED, HELD, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.runtime.handle import Handle
    from lab.topology.load import StepsFile


class _Chosen(NamedTuple):
    """Steps as data, their places for messages, and the file they are from."""

    steps: Sequence[Any]
    places: Sequence[str] = ()
    file: StepsFile | None = None


@click.command()
@click.argument("steps", nargs=-1, metavar="[STEP]...")
@click.option("-f", "--file", type=click.Path(path_type=Path), help="A file of steps.")
@click.option("-k", "words", metavar="WORDS",
              help="Only steps of the topology with all of these words.")  # fmt: skip
@click.option("--step", "numbers", metavar="N", multiple=True,
              help="Only the topology's Nth step, or those of N-M; may be repeated.")  # fmt: skip
@json_option
@name_option
@click.pass_context
def command(  # noqa: PLR0917 (click: one for each option)
    ctx: click.Context,
    steps: tuple[str, ...],
    file: Path | None,
    words: str | None,
    numbers: tuple[str, ...],
    as_json: bool,
    name: str | None,
) -> None:
    """Check a running lab: each STEP, the steps of a file, or what its topology expects.

    A STEP is any word of `expect:`, as a sentence or as in a file. Exit code 1: one does not
    hold.
    """
    given = [what for what, there in (("STEP", steps), ("--file", file),
                                      ("-k or --step", words or numbers)) if there]  # fmt: skip
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} are given", "give one of them")
    lab = opened(name)
    chosen = _chosen(lab, steps, file, words, numbers)
    ctx.exit(_checked(lab, chosen, as_json=as_json))


def _chosen(
    lab: Handle,
    steps: tuple[str, ...],
    file: Path | None,
    words: str | None,
    numbers: tuple[str, ...],
) -> _Chosen:
    if steps:
        return _Chosen(_sentences(steps))
    if file:
        from lab.topology.load import load_steps  # noqa: PLC0415 (not for --help)

        read = load_steps(file)
        return _Chosen(read.steps, read.places, read)
    from lab.topology.chosen import chosen  # noqa: PLC0415 (as above)

    expected = lab.expected()
    rows = expected["steps"]
    if not rows:
        raise UsageError(f"the topology of lab {lab.name} expects nothing", "p2slab check --help")
    indices = chosen([row["text"] for row in rows], words, numbers)
    places = [f"{expected['file']}:{rows[index]['line']}" for index in indices]
    return _Chosen([rows[index]["step"] for index in indices], places)


def _sentences(given: tuple[str, ...]) -> list[dict[str, Any]]:
    """The steps of the arguments; one sentence without quotes is several arguments."""
    from lab.topology.reading.sentence import step_of  # noqa: PLC0415 (not for --help)

    whole = any(" " in one.strip() for one in given)
    texts = given if whole else (" ".join(given),)
    steps, problems = [], []
    for text in texts:
        try:
            steps.append(step_of(text))
        except UsageError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise UsageError("\n".join(f"{one.message}; {one.remedy}" for one in problems))
    return steps


def _checked(lab: Handle, chosen: _Chosen, *, as_json: bool) -> int:
    from lab.report.screen import Screen  # noqa: PLC0415 (not for --help)
    from lab.report.terminal import print_result  # noqa: PLC0415 (as above)
    from lab.topology.reading.problems import StepsError  # noqa: PLC0415 (as above)

    screen = Screen.out()

    def show(result: Any) -> None:
        place = chosen.places[result.index] if chosen.places else ""
        print_result(screen, place, result)
        screen.flush()

    try:
        results = run(lab, chosen.steps, None if as_json else show)
    except StepsError as error:
        raise (chosen.file.refused(error) if chosen.file else error) from None
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results], indent=2))
    return HELD if all(result.held for result in results) else EXPECTATION_FAILED
