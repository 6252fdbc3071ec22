"""A JSON Schema validator for tests: it knows just the words that our schemas use, and refuses any
other, so that a new word cannot pass unseen."""

from __future__ import annotations

import re
from typing import Any

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


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _unless(fits: Any, what: str) -> Any:
    def word(value: Any, argument: Any, _rule: Any, path: str) -> list[str]:
        return [] if fits(value, argument) else [f"{path}: {what} {argument}"]

    return word


_SIMPLE: dict[str, Any] = {
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


class Schema:
    """A JSON Schema 2020-12."""

    def __init__(self, whole: dict[str, Any]) -> None:
        self._whole = whole
        self._words: dict[str, Any] = {
            **_SIMPLE,
            "type": self._type,
            "$ref": self._reference,
            "anyOf": self._any_of,
            "oneOf": self._one_of,
            "properties": self._properties,
            "additionalProperties": self._additional,
            "patternProperties": self._patterns,
            "required": self._required,
            "items": self._items,
        }

    def flaws(self, value: Any, rule: dict[str, Any] | None = None, path: str = "") -> list[str]:
        """What the schema, or one of its rules, has against a value."""
        rule = self._whole if rule is None else rule
        found: list[str] = []
        for word, argument in rule.items():
            if word not in NOTES:
                found += self._words[word](value, argument, rule, path)
        return found

    def _type(self, value: Any, name: str, _rule: Any, path: str) -> list[str]:
        fits = isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
        return [] if fits else [f"{path}: not of type {name}"]

    def _reference(self, value: Any, target: str, _rule: Any, path: str) -> list[str]:
        return self.flaws(value, self._whole["$defs"][target.removeprefix("#/$defs/")], path)

    def _any_of(self, value: Any, rules: list[dict[str, Any]], _rule: Any, path: str) -> list[str]:
        tried = [self.flaws(value, rule, path) for rule in rules]
        return [] if not all(tried) else min(tried, key=len)

    def _one_of(self, value: Any, rules: list[dict[str, Any]], _rule: Any, path: str) -> list[str]:
        fitting = [rule for rule in rules if not self.flaws(value, rule, path)]
        return [] if len(fitting) == 1 else [f"{path}: fits {len(fitting)} of the alternatives"]

    def _properties(self, value: Any, rules: dict[str, Any], _rule: Any, path: str) -> list[str]:
        known = value.keys() & rules.keys() if isinstance(value, dict) else ()
        return [
            flaw for key in known for flaw in self.flaws(value[key], rules[key], f"{path}.{key}")
        ]

    def _additional(self, value: Any, rule: Any, whole: dict[str, Any], path: str) -> list[str]:
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
        return [flaw for key in others for flaw in self.flaws(value[key], rule, f"{path}.{key}")]

    def _patterns(self, value: Any, rules: dict[str, Any], _rule: Any, path: str) -> list[str]:
        return [
            flaw
            for pattern, rule in rules.items()
            for key in (value if isinstance(value, dict) else ())
            if re.search(pattern, key)
            for flaw in self.flaws(value[key], rule, f"{path}.{key}")
        ]

    def _required(self, value: Any, keys: list[str], _rule: Any, path: str) -> list[str]:
        return [f"{path}: no {key}" for key in keys if isinstance(value, dict) and key not in value]

    def _items(self, value: Any, rule: dict[str, Any], _rule: Any, path: str) -> list[str]:
        entries = value if isinstance(value, list) else []
        return [
            flaw
            for n, entry in enumerate(entries)
            for flaw in self.flaws(entry, rule, f"{path}[{n}]")
        ]
