"""The example file of docs/topology-language.md has everything, and is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from lab.cli.group import p2slab
from lab.cli.topology_language import (
    EXAMPLES,
    example_of,
    examples,
    keys,
    sections,
    step_examples,
)
from lab.topology.load import load
from lab.topology.model.steps import VERBS
from lab.topology.reading.schema import schema

CHECKOUT = Path(__file__).parents[4]
RULES = schema()
EXAMPLE = yaml.safe_load((CHECKOUT / EXAMPLES).read_text(encoding="utf-8"))
PASSWORD = EXAMPLE["clients"]["mike"]["certificate"]["password"]
SECTIONS = list(sections(RULES, EXAMPLE))


@pytest.mark.parametrize(("path", "rule"), [(path, rule) for path, rule, _ in SECTIONS])
def test_every_key_has_an_example(path: str, rule: Any) -> None:
    known = examples(SECTIONS)
    without = [key for key, inside in keys(rule).items() if not example_of(known, key, inside)]
    assert without == [], f"add them to {EXAMPLES}, at {path or 'the top'}"


@pytest.mark.parametrize("word", VERBS)
def test_every_key_of_every_step_has_an_example(word: str) -> None:
    rule = RULES["$defs"][VERBS[word].__name__]
    used = {key for step in step_examples(rule, EXAMPLE["expect"]) for key in step}
    assert set(rule["properties"]) - used == set()


def test_every_mapping_of_the_language_is_described() -> None:
    """But for the steps, which have sections of their own."""
    described = {rule["title"] for _, rule, _ in SECTIONS} | {
        model.__name__ for model in VERBS.values()
    }
    assert set(RULES["$defs"]) - described == set()


def test_the_example_file_is_a_topology(tmp_path: Path) -> None:
    """With its JSON file, and the certificates that its first lines say how to make."""
    for name in (EXAMPLES, "docs/adatum-gw.json"):
        (tmp_path / Path(name).name).write_bytes((CHECKOUT / name).read_bytes())
    (tmp_path / "every-word.password").write_text(f"{PASSWORD}\n")
    clients = (["client", name, "--issuer", "own-root"] for name in ("heidi", "mike"))
    for arguments in (["root", "own-root"], *clients):
        made = CliRunner(env={"P2SLAB_P12_PASSWORD": PASSWORD}).invoke(
            p2slab, ["pki", *arguments, "--out", str(tmp_path)]
        )
        assert made.exit_code == 0, made.output
    assert load(tmp_path / "every-word.yaml").topology.name == "every-word"
