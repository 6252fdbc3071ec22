"""`p2slab fault WORD [--for 20s]`: break something in a running lab, and put it right again."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import click

if TYPE_CHECKING:
    from lab.runtime.protocol import Event

HELD, FAILED = 0, 1


@click.command()
@click.argument("word")
@click.option("--for", "time", help="After how long it ends by itself, as 20s; default: never.")
@click.option("--at", help="The site or the RADIUS server, where there is more than one.")
@click.option("--by", help="Of radius-slow: by how much, as 5s.")
@click.option("--end", is_flag=True, help="Put right what is wrong.")
@click.option("--name", help="Name of the lab; default: the only one that runs.")
@click.pass_context
def command(  # noqa: PLR0917 (click: one for each option)
    ctx: click.Context,
    word: str,
    time: str | None,
    at: str | None,
    by: str | None,
    end: bool,
    name: str | None,
) -> None:
    """Have something go wrong in a running lab: s2s-cut, radius-down and so on.

    Example: p2slab fault s2s-cut --for 20s
    """
    from pydantic import ValidationError  # noqa: PLC0415 (not for --help)

    from lab.choices import did_you_mean  # noqa: PLC0415 (as above)
    from lab.errors import UsageError  # noqa: PLC0415 (as above)
    from lab.runtime.handle import Handle  # noqa: PLC0415 (as above)
    from lab.topology.steps import EndFault, Fault  # noqa: PLC0415 (as above)
    from lab.topology.vocabulary import FaultName  # noqa: PLC0415 (as above)

    if word not in get_args(FaultName):
        raise UsageError(f"there is no fault {word!r}", did_you_mean(word, get_args(FaultName)))
    said = {"fault": word, "for": time, "at": at, "by": by}
    given = {key: value for key, value in said.items() if value is not None}
    try:
        step = EndFault.model_validate({"endFault": word}) if end else Fault.model_validate(given)
    except ValidationError as error:
        raise UsageError(error.errors()[0]["msg"], "p2slab fault --help") from None
    ctx.exit(HELD if Handle.open(name).run([step], _tell) else FAILED)


def _tell(event: Event) -> None:
    from lab.runtime.protocol import StepResult  # noqa: PLC0415 (as above)

    if isinstance(event, StepResult):
        click.echo(event.detail, err=not event.held)
