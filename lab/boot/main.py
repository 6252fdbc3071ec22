"""The launcher: check the arguments, make and enter the private root, run the verb in it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from lab import VERSION
from lab.boot import own, signals
from lab.boot.arguments import Call, load_table, read, refuse_missing, shown_elsewhere
from lab.boot.ask import LAYERS, PIPE
from lab.boot.cache import Cache, layers_of
from lab.boot.ending import end_with
from lab.boot.enter import RUN_BASE, environment, execute, inside, replace_root
from lab.boot.layers import ORDER, in_order, root_key
from lab.boot.progress import say
from lab.boot.source import EXAMPLE, PROGRAM, commit_of, is_checkout, topologies
from lab.boot.users import become_root, can_map_range
from lab.boot.verbs import of_verb
from lab.errors import HELD, MachineError, UsageError

if TYPE_CHECKING:
    from lab.boot import host_settings

_CLI = "lab.cli.main"
ASKABLE = frozenset(ORDER) - {"test"}


def main(source: str, words: list[str]) -> NoReturn:
    """Run `p2slab WORDS` from `source` (lab.boot.source); a failure is one message and a code."""

    def work() -> int:
        signals.let_go()  # the program p2slab has blocked them
        return _run(source, words)

    end_with(work)


def enter_module(source: str, module: str, arguments: list[str]) -> NoReturn:
    """Run another module of the checkout in the private root, for the test harness."""
    cache = Cache.of_this_user()
    call = Call(arguments, "test", arguments)
    _enter(source, cache, _made_tree(cache, frozenset(ORDER), source, call), module, call)


def _run(source: str, words: list[str]) -> int:
    table = load_table(source)
    call = read(words, table)
    answer = _answer(source, call, table)
    if answer is not None:
        sys.stdout.write(answer)
        return HELD
    if not is_checkout(source):
        _refuse_what_is_not_installed(call)
    if call.row.of_the_launcher:
        return _carry_out(source, call)
    _here()
    if call.verb == "test":
        from lab.boot import control_group

        control_group.refuse(call.own)
    cache = Cache.of_this_user()
    wanted = of_verb(call.verb)
    tree = cache.best(root_key())
    if not (tree and wanted <= layers_of(tree)):
        refuse_missing(call)
        if call.row.running and not _labs_run(cache):
            return _none_runs(call)
        tree = _made_tree(cache, wanted, source, call)
    if call.row.may_ask and not layers_of(tree) >= ASKABLE:
        return _asked(source, cache, tree, call)
    return _enter(source, cache, tree, _CLI, call)


def _carry_out(source: str, call: Call) -> int:
    """Run a verb of the launcher."""
    if call.verb == "doctor":
        from lab.boot import doctor

        return doctor.run(source, call.own)
    if call.verb == "root":
        from lab.boot import root

        return root.run(source, call.own, install=call.install)
    if call.verb == "completion":
        from lab.boot import completion

        return completion.run(source, call.own)
    from lab.boot import image

    def made_tree() -> str:
        return _made_tree(Cache.of_this_user(), of_verb(call.verb), source, call)

    return image.run(root_key(), source, call.own, made_tree)


def _answer(source: str, call: Call, table: dict[str, Any]) -> str | None:
    """What is answered from files of the checkout; None for the rest."""
    if call.asked == "help" and not (call.verb and call.row.of_the_launcher):
        return f"{table[call.command]['help']}\n"
    if call.asked == "version":
        return f"p2slab {_version(source)}\n"
    if call.verb == "schema":
        with open(os.path.join(topologies(source), "schema.json"), encoding="utf-8") as file:
            return file.read()
    return None


def _version(source: str) -> str:
    """The release, and the commit where it is known."""
    commit = commit_of(source)
    return f"{VERSION} ({commit})" if commit else VERSION


def _refuse_what_is_not_installed(call: Call) -> None:
    """UsageError for what wants our tests, benchmarks or the program p2slab."""
    names_tests = any(os.path.exists(word.partition("::")[0]) for word in call.own)
    if call.row.of_a_checkout or (call.verb == "test" and not names_tests):
        instead = "name tests of yours, or " if call.verb == "test" else ""
        raise UsageError(f"{call.verb} needs p2slab's own source, and this is an installed one",
                         f"{instead}type ./p2slab {call.verb} in a checkout")  # fmt: skip


def _labs_run(cache: Cache) -> bool:
    from lab.boot.join import running_labs

    return any(map(running_labs, cache.run_bases()))


def _none_runs(call: Call) -> int:
    """The answer of verbs for running labs on a machine without a private root."""
    _tell_of_sudo()
    if call.verb != "status":
        raise UsageError("no lab is running", f"{PROGRAM} up {EXAMPLE}")
    if "--json" in call.own:
        sys.stdout.write("[]\n")
    else:
        sys.stderr.write(f"no lab is running ({PROGRAM} up {EXAMPLE})\n")
    return HELD


def _here() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise UsageError("the current directory is gone", "cd to one that exists") from None


def _made_tree(cache: Cache, wanted: frozenset[str], source: str, call: Call) -> str:
    """A private root with these layers, made if it does not exist."""
    from lab.boot.make import make_root

    return make_root(
        cache, root_key(), wanted, source, install=call.install, for_lab=call.builds_lab
    )


def _asked(source: str, cache: Cache, tree: str, call: Call) -> int:
    """Run the verb in a child process; if it needs layers that are missing, make them and run it
    again."""
    from lab.boot import ask

    ended = ask.run(lambda: _enter(source, cache, tree, _CLI, call))
    if not ended.lacking:
        return ended.code
    tree = _made_tree(cache, layers_of(tree) | ended.lacking, source, call)
    return _enter(source, cache, tree, _CLI, call)


def _enter(source: str, cache: Cache, tree: str, module: str, call: Call) -> NoReturn:
    """Become the private root's Python in its own mounts, or in those of a lab to enter."""
    run_base = cache.made_run_base(_base_of_labs(cache, call) if call.row.running else "")
    here = _here()
    directory = inside(here)
    arguments, named = shown_elsewhere(call, [source, here] if is_checkout(source) else [here])
    env = environment(source, cache.directory, run_base)
    env[LAYERS] = " ".join(in_order(layers_of(tree)))
    env.update({name: os.environ[name] for name in (PIPE,) if name in os.environ})
    # The test suite plays an ordinary user, who makes another private root.
    settings = _host_settings() if call.verb == "test" else None
    _hold(cache, tree)
    if _joined(run_base, call):
        directory = directory if os.path.isdir(directory) else "/"
    else:
        become_root(whole_range=not call.row.unprivileged or can_map_range())
        replace_root(tree, visible=[here, *named], code=source, everywhere=[cache.directory],
                     run_base=run_base)  # fmt: skip
        if settings:
            settings.save("/run/host-settings")
    if module == _CLI:
        signals.hold()  # lab.cli.main unblocks them
    execute(module, arguments, env, directory)


def _base_of_labs(cache: Cache, call: Call) -> str:
    from lab.boot.join import base_of_labs, running_labs

    lists = call.verb == "status" and call.lab is None
    bases = list(cache.run_bases()) if lists else cache.run_bases()
    chosen = base_of_labs(bases, call.lab)
    if not running_labs(chosen):
        _tell_of_sudo()
    for base in bases if lists else ():
        labs = [] if base == chosen else running_labs(base)
        if labs:
            say(f"p2slab: also running, in {base}: {', '.join(labs)} (--name finds them)")
    return chosen


def _tell_of_sudo() -> None:
    """Where no lab is found: those of the user and of root do not see each other."""
    user = os.environ.get("SUDO_UID", "")
    if os.geteuid() and os.path.isdir(RUN_BASE):
        say(f"p2slab: labs that were started with sudo are found with it: sudo {PROGRAM} status")
    if not os.geteuid() and os.path.isdir(f"/run/user/{user}/p2slab"):
        say(f"p2slab: labs of user {user} are found without sudo")


def _joined(run_base: str, call: Call) -> bool:
    if not call.row.enters:
        return False
    from lab.boot.join import join_lab

    return join_lab(run_base, call.lab)


def _hold(cache: Cache, tree: str) -> None:
    """Protect the tree from `root prune` while the verb runs; labs are found by their sockets."""
    held = own.lock(cache.in_use(tree), "removing the private root", say, shared=True)
    if held is None or not os.path.isdir(tree):
        raise MachineError("another p2slab has just removed the private root", "run it once more")
    os.set_inheritable(held, True)


def _host_settings() -> host_settings.Settings:
    from lab.boot import host_settings

    return host_settings.collect()
