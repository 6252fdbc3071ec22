"""The launcher: a look at the arguments, then the private root, then the verb inside it."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from lab.boot.cache import Cache, root_key
from lab.boot.enter import environment, execute, inside, replace_root, working_directory
from lab.boot.users import become_root, can_map_range
from lab.errors import LabError

_UNPRIVILEGED = ("validate", "schema")


def main(source: str, arguments: list[str]) -> NoReturn:
    """Run `./p2slab ARGUMENTS` from the checkout `source`; every failure is one message and a code."""
    try:
        _run(source, arguments)
        sys.exit(0)
    except LabError as error:
        sys.stderr.write(f"p2slab: {error}\n")
        sys.exit(error.code)
    except KeyboardInterrupt:
        sys.stderr.write("p2slab: interrupted\n")
        sys.exit(130)


def _run(source: str, arguments: list[str]) -> None:
    install = "--no-install" not in arguments[:1]
    arguments = arguments if install else arguments[1:]
    cache = Cache.of_this_user()
    lists = os.path.join(source, "lab", "boot")
    key = root_key(lists)
    if not os.path.isdir(cache.tree(key)):
        from lab.boot.make import make_root

        make_root(cache, key, source, install=install)
    _enter(source, cache, cache.tree(key), arguments)


def _enter(source: str, cache: Cache, tree: str, arguments: list[str]) -> None:
    run_base = cache.run_base()
    os.makedirs(run_base, mode=0o700, exist_ok=True)
    here = working_directory(source)
    env = environment(source, cache.directory, run_base)
    become_root(whole_range=can_map_range() or arguments[:1] not in [[v] for v in _UNPRIVILEGED])
    visible = [source, cache.directory, here]
    directory = inside(here)
    replace_root(tree, visible=visible, run_base=run_base)
    execute(arguments, env, directory)
