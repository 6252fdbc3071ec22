"""The grid of client systems, from a topology and the results of its steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lab.report.systems import CONNECTED, cells, dials, grid
from lab.runtime.protocol import StepResult
from lab.topology.load import load
from lab.topology.model.steps import text_of, verb_of

PERSONAS = Path(__file__).parents[4] / "topologies" / "personas.yaml"


def results(held: bool = True) -> list[StepResult]:
    steps = load(PERSONAS).topology.expect
    return [
        StepResult(
            index=index, verb=verb_of(step) or "", text=text_of(step), held=held, detail="",
            seconds=0.0,
        )
        for index, step in enumerate(steps)
    ]  # fmt: skip


def test_each_dial_has_its_cell() -> None:
    data = cells(dials(load(PERSONAS).topology), results())
    at = {(row["system"], row["protocol"], row["authentication"]): row["outcomes"] for row in data}
    assert at["windows7", "SSTP", "Certificate"] == [CONNECTED]
    assert at["windows7, not updated", "SSTP", "Radius"] == ["tls", CONNECTED]
    assert at["macos 10.12", "OpenVPN", "Certificate"] == ["system"]
    assert at["ios 10", "IkeV2", "Radius"] == [CONNECTED]
    assert len({system for system, _, _ in at}) * 6 == len(at)


def test_what_did_not_hold_is_not_what_was_expected() -> None:
    done = results()
    first = next(index for index in dials(load(PERSONAS).topology))
    done[first] = replace(done[first], held=False)
    data = cells(dials(load(PERSONAS).topology), done)
    assert [row["outcomes"] for row in data if row["outcomes"] == ["NOT HELD"]] == [["NOT HELD"]]


def test_the_grid_has_a_row_for_each_system() -> None:
    data = cells(dials(load(PERSONAS).topology), results())
    rows = list(grid(data))
    assert rows[1].split() == ["IKEv2", "OpenVPN", "SSTP"] * 2
    (windows10,) = (row for row in rows if row.startswith("windows10 1607 "))
    assert windows10.split()[2:] == [CONNECTED] * 4 + ["no-protocol", CONNECTED]


def test_few_systems_have_no_grid() -> None:
    data = cells(dials(load(PERSONAS).topology), results())
    few = [row for row in data if row["system"] in ("linux", "android")]
    assert list(grid(few)) == []
