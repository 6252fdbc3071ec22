"""`p2slab fault WORD [--for 20s]`: begin or end a fault in a running lab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lab.cli.labs import name_option
from lab.cli.words import listing, refuse_unknown
from lab.errors import EXPECTATION_FAILED, HELD, UsageError

if TYPE_CHECKING:
    from lab.runtime.protocol import Event


def faults() -> dict[str, str]:
    """The faults' names and docstrings."""
    from lab.faults.kinds import KINDS  # noqa: PLC0415 (not when one is named)

    return {name: (work.__doc__ or "").split("\n")[0] for name, work in KINDS.items()}


@click.command(cls=listing("fault", faults))
@click.argument("word")
@click.option("--for", "time", help="How long it lasts, such as 20s; default: until --end.")
@click.option(
    "--at", help="The site, connection, RADIUS server or gateway, if there is more than one."
)
@click.option("--by", help="The delay of radius-slow, such as 5s.")
@click.option("--engine", help="The protocol of engine-down.")
@click.option("--end", is_flag=True, help="End the fault.")
@name_option
@click.pass_context
def command(  # noqa: PLR0917 (click: one for each option)
    ctx: click.Context,
    word: str,
    time: str | None,
    at: str | None,
    by: str | None,
    engine: str | None,
    end: bool,
    name: str | None,
) -> None:
    """Begin a fault in a running lab; --end ends it."""
    from pydantic import ValidationError  # noqa: PLC0415 (not for --help)

    from lab.cli.labs import opened  # noqa: PLC0415 (as above)
    from lab.topology.model.steps import EndFault, Fault  # noqa: PLC0415 (as above)
    from lab.topology.reading.error_text import problem_of  # noqa: PLC0415 (as above)

    refuse_unknown("fault", word, faults(), "fault")
    options = {"fault": word, "for": time, "at": at, "by": by, "engine": engine}
    given = {key: value for key, value in options.items() if value is not None}
    try:
        step = EndFault.model_validate({"endFault": word}) if end else Fault.model_validate(given)
    except ValidationError as error:
        problem = problem_of(error.errors()[0], given)
        option = f"--{problem.path[0]}: " if problem.path else ""
        raise UsageError(
            f"{option}{problem.message}", problem.remedy or "p2slab fault --help"
        ) from None
    ctx.exit(HELD if opened(name).run([step], _print) else EXPECTATION_FAILED)


def _print(event: Event) -> None:
    from lab.runtime.protocol import StepResult  # noqa: PLC0415 (as above)

    if isinstance(event, StepResult):
        click.echo(event.detail, err=not event.held)
