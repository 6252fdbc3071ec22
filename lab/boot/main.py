"""The launcher: a look at the arguments, then the private root, then the verb inside it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from lab.boot import own
from lab.boot.arguments import Call, refuse_hidden_files
from lab.boot.ask import LAYERS, MAY_ASK, PIPE
from lab.boot.cache import Cache, layers_of
from lab.boot.enter import environment, execute, inside, refuse_replaced, replace_root
from lab.boot.layers import ORDER, in_order, of_verb, root_key
from lab.boot.progress import say
from lab.boot.users import become_root, can_map_range
from lab.errors import OURS, LabError, MachineError, UsageError

if TYPE_CHECKING:
    from lab.boot import carry

_CLI = "lab.cli.main"
ASKABLE = frozenset(ORDER) - {"test"}


def main(source: str, arguments: list[str]) -> NoReturn:
    """Run `./p2slab ARGUMENTS` from the checkout `source`; a failure is one message and a code."""
    try:
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
    tree = _made_tree(cache, frozenset(ORDER), source, install=True)
    _enter(source, cache, tree, module, Call("test", arguments, arguments))


def _run(source: str, call: Call) -> int:
    here = _here()
    if call.verb == "doctor":
        from lab import doctor

        return doctor.run(source, call.own)
    cache = Cache.of_this_user()
    if call.verb == "root":
        from lab.boot import root

        return root.run(cache, root_key(), source, call.own)
    if call.wants_help_only and not cache.best(root_key()):
        return _list_verbs()
    refuse_hidden_files(call, shown=[source, here])
    tree = _made_tree(cache, of_verb(call.verb), source, install=call.install)
    if call.verb in MAY_ASK and not layers_of(tree) >= ASKABLE:
        return _asked(source, cache, tree, call)
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
                     "The first verb that needs it makes the private root, in the cache.\n"
                     )  # fmt: skip
    return 0


def _made_tree(cache: Cache, wanted: frozenset[str], source: str, *, install: bool) -> str:
    tree = cache.best(root_key())
    if tree and wanted <= layers_of(tree):
        return tree
    from lab.boot.make import make_root

    return make_root(cache, root_key(), wanted, source, install=install)


def _asked(source: str, cache: Cache, tree: str, call: Call) -> int:
    """Run the verb in a child, which may find that it needs layers that are not there; make them,
    and run it anew."""
    from lab.boot import ask

    ended = ask.run(lambda: _enter(source, cache, tree, _CLI, call))
    if not ended.lacking:
        return ended.code
    tree = _made_tree(cache, layers_of(tree) | ended.lacking, source, install=call.install)
    return _enter(source, cache, tree, _CLI, call)


def _enter(source: str, cache: Cache, tree: str, module: str, call: Call) -> NoReturn:
    """Become the private root's Python in its mounts, or in those of the lab that is entered."""
    run_base = cache.made_run_base()
    here = _here()
    refuse_replaced(here, source)
    directory = inside(here)
    env = environment(source, cache.directory, run_base)
    env[LAYERS] = " ".join(in_order(layers_of(tree)))
    env.update({name: os.environ[name] for name in (PIPE,) if name in os.environ})
    # The test suite plays an ordinary user, who makes a private root of their own.
    settings = _host_settings() if call.verb == "test" else None
    _hold(cache, tree)
    if _joined(run_base, call):
        directory = directory if os.path.isdir(directory) else "/"
    else:
        become_root(whole_range=not call.unprivileged or can_map_range())
        replace_root(tree, visible=[cache.directory, here], everywhere=[source], run_base=run_base)
        if settings:
            settings.save("/run/host-settings")
    execute(module, call.arguments, env, directory)


def _joined(run_base: str, call: Call) -> bool:
    if not call.enters_lab:
        return False
    from lab.boot.join import join_lab, lab_named

    return join_lab(run_base, lab_named(call.own))


def _hold(cache: Cache, tree: str) -> None:
    """Keep the tree from `root prune` while the verb runs (a lab is known by its socket)."""
    held = own.lock(cache.in_use(tree), "removing the private root", say, shared=True)
    if held is None or not os.path.isdir(tree):
        raise MachineError("another p2slab has just removed the private root", "run it once more")
    os.set_inheritable(held, True)


def _host_settings() -> carry.Settings:
    from lab.boot import carry

    return carry.collect()
