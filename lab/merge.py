"""JSON Merge Patch (RFC 7396, section 2): how a step's `properties` change a document."""

from __future__ import annotations

from typing import Any


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
