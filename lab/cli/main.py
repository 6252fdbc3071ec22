"""`p2slab`: the group of verbs. A verb's module is imported only when that verb is used."""

from __future__ import annotations

from importlib import import_module
from typing import NoReturn

import click

from lab import VERSION
from lab.boot import streams
from lab.boot.ending import end_with
from lab.cli.verbs import OF_THE_LAUNCHER, VERBS
from lab.errors import HELD


class _Verbs(click.Group):
    """Lists the verbs from the table above and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS or cmd_name in OF_THE_LAUNCHER:
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
@click.version_option(VERSION, message="p2slab %(version)s")
def p2slab() -> None:
    """Azure point-to-site VPN, rebuilt on one Linux machine in network namespaces.

    Start with: p2slab verify topologies/quickstart.yaml
    """


def main() -> NoReturn:
    """Run the verb; whatever went wrong ends in one message and the right exit code."""
    streams.prepare()
    end_with(_run)


def _run() -> int:
    try:
        code = p2slab.main(prog_name="p2slab", standalone_mode=False)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    return code if isinstance(code, int) else HELD


if __name__ == "__main__":
    main()
