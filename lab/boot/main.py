"""The launcher: a look at the arguments, then the private root, then the verb inside it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from lab.boot.cache import Cache, root_key
from lab.boot.enter import environment, execute, inside, replace_root, working_directory
from lab.boot.users import become_root, can_map_range
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.boot.carry import Settings

_CLI = "lab.cli.main"
_UNPRIVILEGED = (["validate"], ["schema"])


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


def enter_module(source: str, module: str, arguments: list[str]) -> NoReturn:
    """Run another module of the checkout in the private root, as the test harness does."""
    cache = Cache.of_this_user()
    tree = _made_tree(cache, source, install=True)
    _enter(source, cache, tree, module, arguments, keep_settings=True)


def _run(source: str, arguments: list[str]) -> None:
    install = arguments[:1] != ["--no-install"]
    arguments = arguments if install else arguments[1:]
    verb = arguments[0] if arguments else ""
    cache = Cache.of_this_user()
    tree = _made_tree(cache, source, install=install)
    # The test suite plays an ordinary user, who makes a private root of their own.
    _enter(source, cache, tree, _CLI, arguments, keep_settings=verb == "test")


def _made_tree(cache: Cache, source: str, *, install: bool) -> str:
    key = root_key(os.path.join(source, "lab", "boot"))
    if not os.path.isdir(cache.tree(key)):
        from lab.boot.make import make_root

        make_root(cache, key, source, install=install)
    return cache.tree(key)


def _enter(
    source: str, cache: Cache, tree: str, module: str, arguments: list[str], *, keep_settings: bool
) -> NoReturn:
    run_base = cache.run_base()
    os.makedirs(run_base, mode=0o700, exist_ok=True)
    here = working_directory(source)
    directory = inside(here)
    env = environment(source, cache.directory, run_base)
    settings = _host_settings() if keep_settings else None
    become_root(whole_range=can_map_range() or arguments[:1] not in _UNPRIVILEGED)
    replace_root(tree, visible=[source, cache.directory, here], run_base=run_base)
    if settings:
        settings.save("/run/host-settings")
    execute(module, arguments, env, directory)


def _host_settings() -> Settings:
    from lab.boot import carry

    return carry.collect()
