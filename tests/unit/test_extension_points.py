"""What can be added stands in one table each, and each table fits what speaks of its rows."""

from __future__ import annotations

import json
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from lab.boot import arguments
from lab.boot.verbs import VERBS
from lab.checks.run import WORK
from lab.cli.bench import BENCHMARKS, module
from lab.cli.fault import faults
from lab.cli.generate import commands
from lab.faults.kinds import KINDS
from lab.roles import ROLES
from lab.topology.model import steps
from lab.topology.model.vocabulary import FaultName, Serves
from lab.topology.planning.specs import ServiceSpec

CHECKOUT = Path(__file__).parents[2]
BENCH = CHECKOUT / "tests/bench"
TABLE = commands()


def words_of(path: Path) -> str:
    return " ".join(path.read_text().split())


def subclasses(kind: type[Any]) -> set[type[Any]]:
    return {inner for each in kind.__subclasses__() for inner in (each, *subclasses(each))}


def test_every_step_of_the_model_is_carried_out() -> None:
    models = subclasses(steps._Step) - {steps.TimedFault}  # a topology's `faults:` has these
    assert set(WORK) == models
    assert set(steps.VERBS.values()) == models
    union = get_args(get_args(steps.Step)[0])
    assert {get_args(member)[1].tag: get_args(member)[0] for member in union} == steps.VERBS


def test_every_step_has_a_place_of_its_own_in_the_table() -> None:
    assert len({work.__qualname__ for work in WORK.values()}) == len(WORK)  # type: ignore[attr-defined]
    assert set(WORK) == {*steps.CHECKS, *steps.ACTIONS, *steps.SECOND_FACTOR}


def test_every_fault_has_a_kind_and_a_line_of_help() -> None:
    assert list(KINDS) == list(get_args(FaultName))
    assert list(faults()) == list(KINDS)
    assert all(faults().values())


def test_every_service_of_the_plan_has_a_role_that_starts_it() -> None:
    assert set(ROLES) == set(get_args(ServiceSpec))
    assert all(callable(import_module(name).start) for name in ROLES.values())


def test_whatever_a_computer_may_serve_is_a_role() -> None:
    assert set(get_args(Serves)) <= {spec.role for spec in ROLES}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_module_and_a_line_of_help(verb: str) -> None:
    row = VERBS[verb]
    assert row.help.endswith(".")
    assert row.help in " ".join(TABLE[""]["help"].split())
    if row.of_the_launcher:
        assert callable(import_module(f"lab.boot.{verb}").run)
        assert verb not in TABLE
    else:
        assert isinstance(import_module(f"lab.cli.{verb}").command, click.Command)
        assert verb in TABLE


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_two_examples_that_are_understood(verb: str) -> None:
    examples = VERBS[verb].examples
    assert len(set(examples)) == 2
    for example in examples:
        command, _, _ = example.partition(" > ")
        call = arguments.read(shlex.split(command), TABLE)
        assert call.verb == verb
        if not VERBS[verb].of_the_launcher:
            assert f"\n    p2slab {example}\n" in TABLE[verb]["help"] + "\n"
        elif call.own != ["--help"]:
            parser = import_module(f"lab.boot.{verb}")._parser()
            parser.parse_args(call.own)
            assert f"\n  p2slab {example}\n" in parser.format_help()


def test_no_verb_has_a_module_without_a_row() -> None:
    modules = {path.stem for path in (CHECKOUT / "lab/cli").glob("[a-z]*.py")}
    with_command = {
        name for name in modules if hasattr(import_module(f"lab.cli.{name}"), "command")
    }
    assert with_command == {verb for verb, row in VERBS.items() if not row.of_the_launcher}


def test_every_benchmark_is_a_program_and_says_what_it_measures() -> None:
    for name, said in BENCHMARKS.items():
        text = words_of(CHECKOUT / f"{module(name).replace('.', '/')}.py")
        assert 'if __name__ == "__main__":' in text
        assert f"`p2slab bench {name}" in text
        assert said.endswith(".")
    named = {path.stem.replace("_", "-") for path in BENCH.glob("[a-z]*.py")
             if f"`p2slab bench {path.stem.replace('_', '-')}" in words_of(path)}  # fmt: skip
    assert named == set(BENCHMARKS)


def test_the_launcher_knows_the_words_of_bench_and_fault() -> None:
    assert TABLE["bench"]["words"] == {"benchmark": list(BENCHMARKS)}
    assert TABLE["fault"]["words"] == {"fault": list(KINDS)}
    assert json.loads((CHECKOUT / "lab/cli/commands.json").read_text()) == TABLE
