"""The published JSON Schema accepts what the loader accepts, and refuses unknown keys.

The validator below knows just the words that the schema uses, and refuses any other: so a new
word cannot pass unseen.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.topology.reading.schema import schema
from tests.unit.lab.topology.spoiling import SOURCE, TOPOLOGIES

SCHEMA = schema()
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
NOTES = {"title", "description", "default", "examples", "$schema", "$defs", "format", "writeOnly"}


def flaws(value: Any, rule: dict[str, Any], path: str = "") -> list[str]:
    """What the schema has against a value (JSON Schema 2020-12, the words used here)."""
    found: list[str] = []
    for word, argument in rule.items():
        if word not in NOTES:
            found += _WORDS[word](value, argument, rule, path)
    return found


def _type(value: Any, name: str, _rule: Any, path: str) -> list[str]:
    fits = isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
    return [] if fits else [f"{path}: not of type {name}"]


def _reference(value: Any, target: str, _rule: Any, path: str) -> list[str]:
    return flaws(value, SCHEMA["$defs"][target.removeprefix("#/$defs/")], path)


def _any_of(value: Any, rules: list[dict[str, Any]], _rule: Any, path: str) -> list[str]:
    tried = [flaws(value, rule, path) for rule in rules]
    return [] if not all(tried) else min(tried, key=len)


def _one_of(value: Any, rules: list[dict[str, Any]], _rule: Any, path: str) -> list[str]:
    fitting = [rule for rule in rules if not flaws(value, rule, path)]
    return [] if len(fitting) == 1 else [f"{path}: fits {len(fitting)} of the alternatives"]


def _properties(value: Any, rules: dict[str, Any], _rule: Any, path: str) -> list[str]:
    known = value.keys() & rules.keys() if isinstance(value, dict) else ()
    return [flaw for key in known for flaw in flaws(value[key], rules[key], f"{path}.{key}")]


def _additional(value: Any, rule: Any, whole: dict[str, Any], path: str) -> list[str]:
    patterns = whole.get("patternProperties", {})
    known = whole.get("properties", {}).keys()
    others = [
        key
        for key in (value.keys() - known if isinstance(value, dict) else ())
        if not any(re.search(pattern, key) for pattern in patterns)
    ]
    if rule is False:
        return [f"{path}: unknown key {key}" for key in others]
    rule = {} if rule is True else rule
    return [flaw for key in others for flaw in flaws(value[key], rule, f"{path}.{key}")]


def _patterns(value: Any, rules: dict[str, Any], _rule: Any, path: str) -> list[str]:
    return [
        flaw
        for pattern, rule in rules.items()
        for key in (value if isinstance(value, dict) else ())
        if re.search(pattern, key)
        for flaw in flaws(value[key], rule, f"{path}.{key}")
    ]


def _required(value: Any, keys: list[str], _rule: Any, path: str) -> list[str]:
    return [f"{path}: no {key}" for key in keys if isinstance(value, dict) and key not in value]


def _items(value: Any, rule: dict[str, Any], _rule: Any, path: str) -> list[str]:
    entries = value if isinstance(value, list) else []
    return [flaw for n, entry in enumerate(entries) for flaw in flaws(entry, rule, f"{path}[{n}]")]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _unless(fits: Any, what: str) -> Any:
    def word(value: Any, argument: Any, _rule: Any, path: str) -> list[str]:
        return [] if fits(value, argument) else [f"{path}: {what} {argument}"]

    return word


_WORDS: dict[str, Any] = {
    "type": _type,
    "$ref": _reference,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "properties": _properties,
    "additionalProperties": _additional,
    "patternProperties": _patterns,
    "required": _required,
    "items": _items,
    "enum": _unless(lambda value, words: value in words, "not one of"),
    "const": _unless(lambda value, word: value == word, "not"),
    "pattern": _unless(lambda v, p: not isinstance(v, str) or re.search(p, v), "not like"),
    "minimum": _unless(lambda v, least: not _is_number(v) or v >= least, "less than"),
    "maximum": _unless(lambda v, most: not _is_number(v) or v <= most, "more than"),
    "exclusiveMinimum": _unless(lambda v, least: not _is_number(v) or v > least, "not over"),
    "minItems": _unless(lambda v, least: not isinstance(v, list) or len(v) >= least, "fewer than"),
    "maxItems": _unless(lambda v, most: not isinstance(v, list) or len(v) <= most, "more than"),
    "minLength": _unless(lambda v, least: not isinstance(v, str) or len(v) >= least, "under"),
    "maxLength": _unless(lambda v, most: not isinstance(v, str) or len(v) <= most, "over"),
}


@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.stem)
def test_every_topology_fits_the_schema(path: Path) -> None:
    assert flaws(yaml.safe_load(path.read_text()), SCHEMA) == []


@pytest.mark.parametrize(
    "where",
    [
        (),
        ("vnets", "contoso"),
        ("vnets", "contoso", "hosts", "app1"),
        ("gateways", "contoso-gw"),
        ("gateways", "contoso-gw", "properties"),
        ("gateways", "contoso-gw", "properties", "vpnClientConfiguration"),
        ("access", "home"),
        ("clients", "alice", "certificate"),
        ("expect", 1),
    ],
)
def test_an_unknown_key_does_not_fit_anywhere(where: tuple[str | int, ...]) -> None:
    document = yaml.safe_load((SOURCE / "topologies" / "quickstart.yaml").read_text())
    node = document
    for part in where:
        node = node[part]
    node["surprise"] = 1
    assert flaws(document, SCHEMA)


def test_a_name_that_cannot_be_one_does_not_fit() -> None:
    document = yaml.safe_load((SOURCE / "topologies" / "quickstart.yaml").read_text())
    document["clients"]["not a name"] = document["clients"]["alice"]
    assert flaws(document, SCHEMA) == [".clients: unknown key not a name"]


def test_a_key_that_the_lab_does_not_support_does_not_fit() -> None:
    rule = SCHEMA["$defs"]["GatewayProperties"]["properties"]["natRules"]
    assert flaws([{"name": "rule1"}], rule)
    assert flaws([], rule) == []
    assert "not supported" in rule["description"]


def test_editors_get_a_description_of_every_key_of_the_labs_own() -> None:
    own = ("Access", "Authority", "Client", "ClientCertificate", "Gateway", "Host", "Proxy")
    rules = [SCHEMA, *(SCHEMA["$defs"][name] for name in own)]
    bare = [
        key
        for rule in rules
        for key, value in rule["properties"].items()
        if "description" not in value
    ]
    assert bare == []
