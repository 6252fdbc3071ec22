"""The group of verbs. A verb's module is imported only when that verb is used."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from lab import VERSION
from lab.boot.verbs import VERBS
from lab.errors import UsageError


class _Verbs(click.Group):
    """Lists the verbs from the table, and imports a verb's module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS or VERBS[cmd_name].of_the_launcher:
            return None
        command: click.Command = import_module(f"lab.cli.{cmd_name}").command
        lines = "\n".join(f"  p2slab {example}" for example in VERBS[cmd_name].examples)
        command.epilog = f"\b\nExamples:\n{lines}"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(  # the launcher removes it from the command line; here it is only documented
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
    """Run the verb of the command line; its exit code.

    This replaces click's main, which handles interrupts and closed pipes in its own way.
    """
    try:
        with p2slab.make_context("p2slab", sys.argv[1:]) as ctx:
            p2slab.invoke(ctx)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        verb = error.ctx.info_name if error.ctx else "p2slab"
        raise UsageError(f"{verb}: {error.format_message()}", f"p2slab {verb} --help") from None
    except click.Abort:  # Ctrl-C or Ctrl-D at a password prompt
        raise KeyboardInterrupt from None
    return 0
