"""JSON Merge Patch, by the examples of RFC 7396."""

from __future__ import annotations

from typing import Any

import pytest

from lab.merge import differences, merge


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [
        ({"a": 1, "b": {"c": 2}}, {"b": {"d": 3}}, {"a": 1, "b": {"c": 2, "d": 3}}),
        ({"a": 1}, {"a": None}, {}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
    ],
)
def test_a_patch_is_merged_as_rfc_7396_says(target: Any, patch: Any, merged: Any) -> None:
    assert merge(target, patch) == merged


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"a": 1, "b": {"c": 2}}, {"b": {"c": 2}, "a": 1}, {}),
        ({"sku": {"name": "A"}}, {"sku": {"name": "B"}}, {"sku.name": ("A", "B")}),
        ({}, {"a": {"b": {"c": 1}}}, {"a.b.c": (None, 1)}),
        ({"a": {"b": [1], "c": 2}}, {"a": {"b": [1, 2]}}, {"a.b": ([1], [1, 2]), "a.c": (2, None)}),
        ({"a": {"b": 1}}, {"a": "x"}, {"a": ({"b": 1}, "x")}),
    ],
)
def test_what_differs_has_its_path_and_both_values(before: Any, after: Any, found: Any) -> None:
    assert differences(before, after) == found
