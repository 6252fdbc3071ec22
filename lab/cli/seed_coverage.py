"""docs/seed-coverage.md, made from tests/seed/statements.yaml: the statements of the seed document,
each with what proves it.

A proof is a test or a step of a topology, and a change to one place of the code under which it
fails; `./p2slab test --mutations` makes the change and looks (tests.seed.mutate).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

STATEMENTS = "tests/seed/statements.yaml"
PAGE = "docs/seed-coverage.md"
_INTRODUCTION = f"""\
# What proves each statement of the seed

This page is generated from [statements.yaml](../{STATEMENTS}) (`./p2slab test --generate`); do not
edit it. The statements are those of "About Point-to-Site VPN" and its FAQ, in other words and in
its order; [seed.md](seed.md) quotes those that source files cite.

A statement is **shown** if a test, or a step of a topology, fails when the code named beside it is
changed. `./p2slab test --mutations` makes all these changes in a copy of the checkout, one by one,
and says which are caught; `./p2slab test --mutations 42 60-71` makes those of some rows.
[CONTRIBUTING](../CONTRIBUTING.md#prove-a-statement-of-the-seed) says how a row is written.
"""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mutation(_Model):
    """A change to one place of the code."""

    file: str = Field(alias="in")
    """Relative to the checkout."""
    text: str
    """What is there, once in the file."""
    becomes: str


class Proof(Mutation):
    """What fails under the mutation, and passes without it."""

    shows: str
    """`FILE.py::TEST`, with or without the parameters in brackets, or `FILE.yaml::STEP`, with the
    step as reports say it."""

    @property
    def place(self) -> str:
        """The file of the test or step."""
        return self.shows.partition("::")[0]

    @property
    def name(self) -> str:
        """The test, or the step."""
        return self.shows.partition("::")[2]

    @property
    def mutation(self) -> Mutation:
        """The change alone; several statements may share one."""
        return Mutation.model_validate({
            "in": self.file, "text": self.text, "becomes": self.becomes
        })  # fmt: skip


class Statement(_Model):
    """One statement: proved, or why not."""

    says: str
    proof: Proof | None = None
    missing: str = ""
    """An allowed gap: what the lab lacks."""
    unobservable: str = ""
    """Why nothing in a lab could show it."""

    @model_validator(mode="after")
    def _one_state(self) -> Self:
        if sum(map(bool, (self.proof, self.missing, self.unobservable))) != 1:
            raise ValueError("one of proof, missing and unobservable")
        return self

    @property
    def state(self) -> str:
        """For the page."""
        return "shown" if self.proof else "missing" if self.missing else "not observable"


def statements(checkout: Path) -> dict[str, dict[int, Statement]]:
    """The statements by part and number; pydantic's ValidationError for what is none."""
    read = yaml.safe_load((checkout / STATEMENTS).read_text(encoding="utf-8"))
    return {
        part: {number: Statement.model_validate(row) for number, row in rows.items()}
        for part, rows in read["parts"].items()
    }


def page(checkout: Path) -> str:
    """The page's text."""
    parts = statements(checkout)
    count = Counter(row.state for rows in parts.values() for row in rows.values())
    lines = [_INTRODUCTION, "| state | statements |", "|---|---:|"]
    lines += [f"| {state} | {count[state]} |" for state in ("shown", "missing", "not observable")]
    for part, rows in parts.items():
        lines += ["", f"## {part}", "", "| # | statement | state | proof | mutation in |"]
        lines += ["|---:|---|---|---|---|"]
        lines += [_line(number, row) for number, row in rows.items()]
    return "\n".join((*lines, ""))


def _line(number: int, row: Statement) -> str:
    if row.proof:
        shown = f"`{row.proof.place}`: {_cell(row.proof.name)}", f"`{row.proof.file}`"
    else:
        shown = _cell(row.missing or row.unobservable), ""
    return " | ".join((f"| {number}", _cell(row.says), row.state, *shown)).rstrip() + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
