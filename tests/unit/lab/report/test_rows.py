"""The output of `verify`: rows that fit, each failure once, no colours outside terminals."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from lab.errors import MACHINE
from lab.report.screen import Screen
from lab.report.terminal import Progress, print_summary, print_verdict
from lab.report.verdict import Verdict
from lab.runtime.protocol import Failed, Stage, StepResult
from tests.rigs.played import explanation

WORDS = "received EAP_FAILURE, EAP authentication failed and much more of it than fits a line"


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


def result(index: int, *, held: bool, detail: str = WORDS, **evidence: Any) -> StepResult:
    text = "carol refused over IkeV2 because revoked"
    return StepResult(index=index, verb="refused", text=text, held=held, detail=detail,
                      seconds=0.1, evidence=evidence)  # fmt: skip


def verdict(*results: StepResult) -> Verdict:
    made = Verdict("office", "topologies/office.yaml", len(results), lines=(70, 71, 72))
    for each in results:
        made.add(each)
    return made


@pytest.mark.parametrize(("columns", "width"), [(None, 80), ("60", 60), ("132", 132), ("3", 40)])
def test_in_a_pipe_rows_have_the_width_of_columns(
    columns: str | None,
    width: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    told = verdict(result(0, held=True), result(1, held=False), result(2, held=True))
    told.lab = {"engines": [{"gateway": "gw", "protocol": "IkeV2", "datapath": WORDS}]}
    told.lab["benchmarks"] = [{"gateway": WORDS, "scale": 0.1, "mbps": 65.0}]
    told.add(Failed(message=WORDS, remedy=WORDS, code=MACHINE))
    print_verdict(told)
    print_summary([told, told], 3)
    said = "".join(capsys.readouterr())
    assert max(map(len, said.splitlines())) == width
    assert "\x1b" not in said
    held = [line for line in said.splitlines() if line.startswith("held")]
    assert len(held) == 2
    assert all(line.endswith("…") for line in held)


def test_the_scale_of_a_gateway_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    told = verdict(result(0, held=True))
    told.lab = {"benchmarks": [{"gateway": "gw", "scale": 0.04, "mbps": 26.0}]}
    print_verdict(told)
    assert "gw: 26 Mbit/s of throughput, 0.04 of its SKU's 650\n" in capsys.readouterr().out


def test_a_failure_is_reported_once_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    own = {"the client's own message": WORDS, "the gateway's log": {"message": "it is revoked"}}
    told = verdict(result(0, held=True, detail="yes"), result(1, held=False, **own))
    with Progress(2) as progress:
        for each in told.results:
            progress.add(each)
    print_verdict(told)
    said = " ".join("".join(capsys.readouterr()).split())
    assert "FAILED 0.10 s topologies/office.yaml:71: carol refused over IkeV2" in said
    assert said.count("FAILED") == 1
    assert said.count(WORDS) == 1
    assert said.count("the gateway's log: it is revoked") == 1
    assert said.endswith("NOT HELD: 1 of 2 in 0.0 s")


def test_what_is_explained_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    failed = replace(result(0, held=False, detail="refused: udp/500 is dropped"),
                     explanation=explanation("the firewall drops it"))  # fmt: skip
    print_verdict(verdict(failed))
    said = capsys.readouterr().out.splitlines()
    assert sum("the firewall drops it" in line for line in said) == 1
    assert any(line.endswith("failed  firewall") for line in said)
    assert sum("udp dport 500 drop" in line for line in said) == 1


def test_rows_that_held_are_one_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    results = [
        replace(result(n, held=n != 2, detail=f"row {n}"), began=100.0 + n) for n in range(6)
    ]
    told = verdict(*results)
    told.lines = (70, 71, 72, 73, 74, 76)
    print_verdict(told)
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "held     1.10 s  2 steps, lines 70 to 71"
    assert said[2].startswith("FAILED   0.10 s  topologies/office.yaml:72: carol refused")
    assert "held     2.10 s  3 steps, lines 73 to 76" in said
    print_verdict(told, every_row=True)
    said = capsys.readouterr().out.splitlines()
    assert [line.rpartition(" ")[2] for line in said if line.startswith("held")] == list("01345")


def test_a_single_row_that_held_says_what_was_seen(capsys: pytest.CaptureFixture[str]) -> None:
    print_verdict(verdict(result(0, held=True, detail="seen"), result(1, held=False)))
    assert capsys.readouterr().out.splitlines()[1].endswith("because revoked: seen")


def test_what_strangers_wrote_does_nothing_to_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad = "x\x1b]0;title\x07y\rz\nw\u202e"
    print_verdict(verdict(result(0, held=True, detail=bad), result(1, held=False, detail=bad)))
    assert capsys.readouterr().out.count("x?]0;title?y?z w?") == 2


class OnTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("terminal", "env", "coloured"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": ""}, False),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colours_are_as_asked_for(
    terminal: bool, env: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    stream = OnTerminal() if terminal else io.StringIO()
    Screen(stream).row("held and more", "green", coloured=4)
    assert stream.getvalue() == (
        "\x1b[32mheld\x1b[0m and more\n" if coloured else "held and more\n"
    )


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_moves_on_a_terminal_and_is_lines_elsewhere(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = OnTerminal() if terminal else io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with Progress(2) as progress:
        progress.add(Stage(name="build the world", state="started"))
        progress.add(Stage(name="build the world", state="done", seconds=0.5, detail="9 nodes"))
        progress.add(result(0, held=False))
    said = stream.getvalue()
    if terminal:
        assert "\r\x1b[K1 of 2 checked, 1 FAILED" in said
        assert said.endswith("\r\x1b[K")
        assert "\n" not in said
    else:
        assert said == "          0.50 s  build the world: 9 nodes\n"


def test_a_summary_has_a_row_for_each_file_and_a_total(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = verdict(result(0, held=True)), verdict(result(0, held=False))
    broken = Verdict("shop", "shop.yaml", 4)
    broken.add(Failed(message="no room", code=MACHINE))
    print_summary([good, bad, broken], 12.34)
    assert capsys.readouterr().out.splitlines() == [
        "",
        "HELD       1 of 1       0.0 s  topologies/office.yaml",
        "NOT HELD   0 of 1       0.0 s  topologies/office.yaml",
        "failed     0 of 4       0.0 s  shop.yaml: no room",
        "1 of 3 files held, 1 did not, 1 failed; 1 of 6 expectations in 12.3 s",
    ]
