"""The launcher: a look at the arguments, then the private root, then the verb inside it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from lab.boot import own, signals
from lab.boot.arguments import Call, refuse_hidden_files
from lab.boot.cache import Cache, root_key
from lab.boot.enter import environment, execute, inside, refuse_replaced, replace_root
from lab.boot.progress import say
from lab.boot.users import become_root, can_map_range
from lab.errors import OURS, LabError, MachineError, UsageError

if TYPE_CHECKING:
    from lab.boot import carry

_CLI = "lab.cli.main"


def main(source: str, arguments: list[str]) -> NoReturn:
    """Run `./p2slab ARGUMENTS` from the checkout `source`; a failure is one message and a code."""
    try:
        signals.let_go()  # the program p2slab has held them
        sys.exit(_run(source, Call.of(arguments)))
    except LabError as error:
        sys.stderr.write(f"p2slab: {error}\n")
        sys.exit(error.code)
    except KeyboardInterrupt:
        sys.stderr.write("p2slab: interrupted\n")
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 (the last line of defence: a fault of ours)
        import traceback

        traceback.print_exc()
        sys.stderr.write(f"p2slab: a fault of ours: {error!r}. Please report it.\n")
        sys.exit(OURS)


def enter_module(source: str, module: str, arguments: list[str]) -> NoReturn:
    """Run another module of the checkout in the private root, as the test harness does."""
    cache = Cache.of_this_user()
    tree = _made_tree(cache, source, install=True)
    _enter(source, cache, tree, module, Call("test", arguments, arguments))


def _run(source: str, call: Call) -> int:
    here = _here()
    if call.verb == "doctor":
        from lab import doctor

        return doctor.run(source, call.own)
    cache = Cache.of_this_user()
    if call.verb == "root":
        from lab.boot import root

        return root.run(cache, _key(source), source, call.own)
    if call.verb == "image":
        from lab.boot import image

        return image.run(_key(source), source, call.own,
                         lambda: _made_tree(cache, source, install=call.install))  # fmt: skip
    if call.wants_help_only and not os.path.isdir(cache.tree(_key(source))):
        return _list_verbs()
    refuse_hidden_files(call, shown=[source, here])
    tree = _made_tree(cache, source, install=call.install)
    return _enter(source, cache, tree, _CLI, call)


def _here() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise UsageError("the current directory is gone", "cd to one that is there") from None


def _list_verbs() -> int:
    """Help on a machine without a private root, which is no reason to make one."""
    from lab.cli.verbs import VERBS

    lines = (f"  {verb:<9} {what}" for verb, what in VERBS.items())
    sys.stdout.write("Usage: p2slab VERB ...\n\n" + "\n".join(lines) + "\n\n"
                     "Start with: p2slab verify topologies/quickstart.yaml\n"
                     "The first verb that needs it makes the private root: half a minute, "
                     "half a gigabyte in the cache.\n")  # fmt: skip
    return 0


def _key(source: str) -> str:
    return root_key(os.path.join(source, "lab", "boot"))


def _made_tree(cache: Cache, source: str, *, install: bool) -> str:
    key = _key(source)
    if not os.path.isdir(cache.tree(key)):
        from lab.boot.make import make_root

        make_root(cache, key, source, install=install)
    return cache.tree(key)


def _enter(source: str, cache: Cache, tree: str, module: str, call: Call) -> NoReturn:
    """Become the private root's Python in its mounts, or in those of the lab that is entered."""
    run_base = cache.made_run_base()
    here = _here()
    refuse_replaced(here, source)
    directory = inside(here)
    env = environment(source, cache.directory, run_base)
    # The test suite plays an ordinary user, who makes a private root of their own.
    settings = _host_settings() if call.verb == "test" else None
    _hold(cache, source)
    if _joined(run_base, call):
        directory = directory if os.path.isdir(directory) else "/"
    else:
        become_root(whole_range=not call.unprivileged or can_map_range())
        replace_root(tree, visible=[cache.directory, here], everywhere=[source], run_base=run_base)
        if settings:
            settings.save("/run/host-settings")
    if module == _CLI:
        signals.hold()  # it takes them when it can
    execute(module, call.arguments, env, directory)


def _joined(run_base: str, call: Call) -> bool:
    if not call.enters_lab:
        return False
    from lab.boot.join import join_lab, lab_named

    return join_lab(run_base, lab_named(call.own))


def _hold(cache: Cache, source: str) -> None:
    """Keep the tree from `root prune` while the verb runs (a lab is known by its socket)."""
    key = _key(source)
    held = own.lock(cache.in_use(key), "removing the private root", say, shared=True)
    if held is None or not os.path.isdir(cache.tree(key)):
        raise MachineError("another p2slab has just removed the private root", "run it once more")
    os.set_inheritable(held, True)


def _host_settings() -> carry.Settings:
    from lab.boot import carry

    return carry.collect()
