"""The content of the cache: private roots, their layers, sizes and versions."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from lab.boot.build import size_of
from lab.boot.cache import HALF_MADE, Cache, layers_of
from lab.boot.layers import in_order
from lab.boot.versions import MAIN, versions_in


class Other(NamedTuple):
    """A private root that this checkout does not use."""

    root: str
    size: int
    finished: bool


class Inventory(NamedTuple):
    """What `p2slab root` shows; sizes in bytes on disk, `made` is local time or empty."""

    root: str
    key: str
    layers: list[str]
    made: str
    size: int
    versions: dict[str, str]
    others: list[Other]


def take(cache: Cache, key: str) -> Inventory:
    """Inspect the cache. Hard-linked files count in the size of every root that has them."""
    tree = cache.best(key)
    others = [
        Other(other, size_of(other), HALF_MADE not in other)
        for other in cache.trees()
        if other != tree
    ]
    if not tree:
        return Inventory(cache.tree(key, []), key, [], "", 0, {}, others)
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(os.stat(tree).st_mtime))
    found = versions_in(tree)
    versions = {package: found[package] for package in MAIN if package in found}
    layers = in_order(layers_of(tree))
    return Inventory(tree, key, layers, made, size_of(tree), versions, others)
