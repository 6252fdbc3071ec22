"""`p2slab`: the group of verbs. A verb's module is imported only when that verb is used."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import NoReturn

import click

from lab.cli.leaving import leave
from lab.cli.no_plugins import expect_no_plugins
from lab.cli.verbs import VERBS
from lab.errors import OURS, LabError


class _Verbs(click.Group):
    """Lists the verbs from the table above and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"lab.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(  # the launcher takes it out of the command line; here it is only told of
    "--no-install",
    is_flag=True,
    expose_value=False,
    help="If the machine lacks something, print the command that installs it, and stop.",
)
def p2slab() -> None:
    """Azure point-to-site VPN, rebuilt on one Linux machine in network namespaces.

    Start with: p2slab verify topologies/quickstart.yaml
    """


def main() -> NoReturn:
    """Run the verb; whatever went wrong ends in one message and the right exit code."""
    gc.disable()  # it would look at all that a verb imports again and again; a lab has it
    expect_no_plugins()
    try:
        code = p2slab.main(prog_name="p2slab", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except LabError as error:
        click.echo(f"p2slab: {error}", err=True)
        sys.exit(error.code)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("p2slab: interrupted", err=True)
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 (the last line of defence: a fault of ours)
        import traceback  # noqa: PLC0415

        traceback.print_exc()
        click.echo(f"p2slab: a fault of ours: {error!r}. Please report it.", err=True)
        sys.exit(OURS)


if __name__ == "__main__":
    try:
        main()
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else 0)
