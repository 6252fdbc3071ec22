"""JSON Merge Patch (RFC 7396, section 2): how a step's `properties` change a document, and what
differs between two documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Change = tuple[Any, Any]
"""The value before and after; None: there is none."""


def merge(target: Any, patch: Any, *, keep_null: bool = False) -> Any:
    """The target with the patch in it; null takes something out, unless `keep_null`."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None and not keep_null:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value, keep_null=keep_null)
    return merged


def differences(before: Any, after: Any, path: str = "") -> dict[str, Change]:
    """The fields of two documents that differ, by their paths, such as `sku.name`; lists are
    compared as a whole."""
    if before == after:
        return {}
    parts = [one for one in (before, after) if one is not None]
    if not all(isinstance(one, Mapping) for one in parts):
        return {path: (before, after)}
    before, after = before or {}, after or {}
    return {
        name: change
        for key in dict.fromkeys((*before, *after))
        for name, change in differences(
            before.get(key), after.get(key), f"{path}.{key}" if path else key
        ).items()
    }
