"""Verbs whose argument is one of several words: --help lists them, errors suggest one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import click

from lab.errors import UsageError


def listing(heading: str, words: Callable[[], Mapping[str, str]]) -> type[click.Command]:
    """A command class whose help lists `words` and their descriptions under a heading."""

    class Listing(click.Command):
        """A command whose help lists words."""

        def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
            with formatter.section(heading):
                formatter.write_dl(list(words().items()))
            super().format_epilog(ctx, formatter)

    return Listing


def refuse_unknown(what: str, word: str, known: Mapping[str, str], where: str) -> None:
    """UsageError for an unknown word, with a suggestion or all known words."""
    if word not in known:
        from lab.choices import did_you_mean  # noqa: PLC0415 (difflib, if needed)

        remedy = did_you_mean(word, known)
        raise UsageError(f"there is no {what} {word!r}", f"{remedy} (p2slab {where} --help)")
