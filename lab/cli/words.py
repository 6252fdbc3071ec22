"""A verb whose argument is one of some words: --help lists them, and a mistyped one is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import click

from lab.errors import UsageError


def listing(heading: str, words: Callable[[], Mapping[str, str]]) -> type[click.Command]:
    """A command whose help lists `words` (each with what it means) under a heading."""

    class Listing(click.Command):
        """As above."""

        def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
            with formatter.section(heading):
                formatter.write_dl(list(words().items()))
            super().format_epilog(ctx, formatter)

    return Listing


def refuse_unknown(what: str, word: str, known: Mapping[str, str], where: str) -> None:
    """UsageError with the word that was probably meant, or with all of them."""
    if word not in known:
        from lab.choices import did_you_mean  # noqa: PLC0415 (difflib, if needed)

        meant = did_you_mean(word, known)
        raise UsageError(f"there is no {what} {word!r}", f"{meant} (p2slab {where} --help)")
