"""A verb whose argument is one of some words: --help lists them, and a mistyped one is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import click

from lab.errors import UsageError


class Listing(click.Command):
    """A command whose first argument is one of `words()`, each with what it means: its help lists
    them. `what` one of them is: a benchmark, say."""

    what = ""

    def words(self) -> Mapping[str, str]:
        """They themselves."""
        return {}

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them under a heading."""
        with formatter.section(f"{self.what.capitalize()}s"):
            formatter.write_dl(list(self.words().items()))
        super().format_epilog(ctx, formatter)


def listing(what: str, words: Callable[[], Mapping[str, str]]) -> type[Listing]:
    """The class of a command with these words."""
    return type("Listing", (Listing,), {"what": what, "words": lambda _: words()})


def refuse_unknown(what: str, word: str, known: Mapping[str, str], where: str) -> None:
    """UsageError with the word that was probably meant, or with all of them."""
    if word not in known:
        from lab.choices import did_you_mean  # noqa: PLC0415 (difflib, if needed)

        meant = did_you_mean(word, known)
        raise UsageError(f"there is no {what} {word!r}", f"{meant} (p2slab {where} --help)")
