"""Medians and ratios of what tests.bench.lab measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

AIMS = {"star50": (1.0, 1.3), "star200": (1.0, 1.3)}
"""World to the most that the runner may take: of ip -batch with start-up, of raw without."""


def summary(taken: Mapping[tuple[str, str], Sequence[Mapping[str, float]]]) -> list[dict[str, Any]]:
    """A row a world and builder: medians in seconds, the slowest, ratios to the others."""
    middle = {
        key: {part: median(run[part] for run in runs) for part in runs[0]}
        for key, runs in taken.items()
    }
    rows = []
    for (world, builder), runs in taken.items():
        own = middle[world, builder]
        row: dict[str, Any] = {"world": world, "builder": builder, "runs": len(runs)}
        row |= {part: round(seconds, 4) for part, seconds in own.items()}
        row["slowest build"] = round(max(run["build"] for run in runs), 4)
        # ip -batch has no start-up of its own: the interpreter there is the benchmark's.
        row["to ip -batch"] = round(own["total"] / middle[world, "ip -batch"]["build"], 2)
        row["to raw"] = round(own["build"] / middle[world, "raw"]["build"], 2)
        if builder == "runner" and world in AIMS:
            batch, raw = AIMS[world]
            row["aims held"] = row["to ip -batch"] < batch and row["to raw"] <= raw
        rows.append(row)
    return rows


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """For a person: milliseconds."""
    print(
        f"{'world':<11}{'builder':<10}{'start-up':>9}{'build':>8}{'slowest':>9}{'remove':>8}"
        f"{'with start-up / ip -batch':>27}{'without / raw':>15}   (ms, medians)"
    )
    for row in rows:
        runner = row["builder"] == "runner"
        print(
            f"{row['world']:<11}{row['builder']:<10}{row['start-up'] * 1000:9.0f}"
            f"{row['build'] * 1000:8.0f}{row['slowest build'] * 1000:9.0f}"
            f"{row['remove'] * 1000:8.0f}"
            + (f"{row['to ip -batch']:27.2f}{row['to raw']:15.2f}" if runner else "")
            + ("" if row.get("aims held") is None else "   aims held" * row["aims held"])
        )
