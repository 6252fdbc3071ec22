"""The group of verbs. A verb's module is imported only when that verb is used."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from lab import VERSION
from lab.boot.verbs import VERBS


class _Verbs(click.Group):
    """Lists the verbs from the table and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS or VERBS[cmd_name].of_the_launcher:
            return None
        command: click.Command = import_module(f"lab.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])


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


def run() -> int:
    """Run the verb that the command line names; its exit code.

    Not by click's own main, which turns interrupts and closed pipes into answers of its own.
    """
    try:
        with p2slab.make_context("p2slab", sys.argv[1:]) as ctx:
            p2slab.invoke(ctx)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:  # Ctrl-C or Ctrl-D where a password is asked for
        raise KeyboardInterrupt from None
    return 0
