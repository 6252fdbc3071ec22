"""`p2slab completion SHELL`: completion for bash, zsh and fish.

The printed script calls `p2slab completion answer -- WORD...`, which needs no private root: verbs
and options are in a generated table (lab/cli/commands.json), and a running lab says the names of
its nodes.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lab.boot.arguments import load_table
from lab.boot.cache import Cache
from lab.boot.join import asked, base_of_labs, lab_named, running_labs
from lab.boot.options import Options
from lab.boot.verbs import VERBS
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable

SCRIPTS = {
    "bash": """\
_p2slab() {
    local IFS=$'\\n' words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    COMPREPLY=($("${COMP_WORDS[0]}" completion answer -- "${words[@]}" 2>/dev/null))
}
complete -o bashdefault -o default -F _p2slab p2slab
""",
    "zsh": """\
#compdef p2slab
_p2slab() {
    local -a found
    found=("${(@f)$("${words[1]}" completion answer -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "$found" ]]; then compadd -a found; else _files; fi
}
compdef _p2slab p2slab
""",
    "fish": """\
complete -c p2slab -a '(p2slab completion answer -- (commandline -opc)[2..-1] (commandline -ct))'
""",
}
_LABS = ("running labs",)
_VALUES = {"--over": ("IkeV2", "SSTP", "OpenVPN"), "--name": _LABS}
"""Words for the values of options."""
_KINDS = {
    "NODE": ("nodes",),
    "NODE[,NODE]...": ("nodes",),
    "CLIENT": ("clients",),
    "CLIENT...": ("clients",),
    "GATEWAY": ("gateways",),
    "GATEWAY|CLIENT": ("gateways", "clients"),
}
"""What of a lab an argument names, by its name in the table."""
_IN_NODES = ("FROM", "TO")


def run(source: str, arguments: list[str]) -> int:
    """Run `p2slab completion ARGUMENTS`; the exit code."""
    if arguments[:2] == ["answer", "--"]:
        words = arguments[2:]
        base = base_of_labs(Cache.of_this_user().run_bases(), _lab_in(words))
        found = answer(words, load_table(source), base)
        sys.stdout.write("".join(f"{word}\n" for word in found))
        return 0
    parser = _parser()
    sys.stdout.write(SCRIPTS[parser.parse_args(arguments).shell])
    return 0


def _parser() -> Options:
    parser = Options(
        prog="p2slab completion",
        description="Print a script that completes verbs, options, and names of running labs and "
        "their nodes.",
    )
    parser.add_argument("shell", choices=SCRIPTS, help="the shell that reads the script")
    return parser


def answer(words: list[str], table: dict[str, Any], run_base: str) -> list[str]:
    """The completions of the last word; none where the shell should complete file names.

    `table` is lab/cli/commands.json, `run_base` the directory of labs.
    """
    *before, last = words or [""]
    command, given, option = _place(before, table)
    known = _known(command, given, option, last, table)
    first = ""
    if known is None:
        rows = table[command]["arguments"]
        kind = rows[min(len(given), len(rows) - 1)]["name"] if rows else ""
        if "," in kind:  # a list: its last part is completed
            first, comma, last = last.rpartition(",")
            first += comma
        known = _of_a_lab(kind, run_base, _lab_in(before))
    elif known is _LABS:
        known = running_labs(run_base)
    return [first + word for word in known if word.startswith(last)]


def _lab_in(words: list[str]) -> str | None:
    """The value of --name."""
    at = next((at for at, word in enumerate(words) if word.startswith("--name")), len(words))
    return lab_named(words[at:])


def _known(
    command: str, given: list[str], option: str, last: str, table: dict[str, Any]
) -> Iterable[str] | None:
    """The words at this place that are known without a lab; None if the argument decides."""
    if command in VERBS and VERBS[command].of_the_launcher:
        return SCRIPTS if command == "completion" and not given else ()
    if option:
        return _VALUES.get(option, ())
    rules = table[command]
    if last.startswith("-"):
        return list(rules["options"])
    words = rules["commands"] or (() if given else rules["words"].values())
    return list(next(iter(words)) if words and not rules["commands"] else words) or None


def _place(before: list[str], table: dict[str, Any]) -> tuple[str, list[str], str]:
    """The command, its arguments so far, and the option whose value comes next, if any."""
    command, option = "", ""
    given: list[str] = []
    for word in before:
        if option:
            option = ""
        elif word.startswith("-") and word != "-":
            kind = table.get(command, {}).get("options", {}).get(word, "flag")
            option = "" if kind == "flag" else word
        elif word in table.get(command, {}).get("commands", ()):
            command = f"{command} {word}".strip()
        else:
            given.append(word)
    return command, given, option


def _of_a_lab(kind: str, run_base: str, lab: str | None) -> Iterable[str]:
    """The names of labs, or of a lab's nodes, for an argument; none if no lab is meant."""
    if kind == "NAME":
        return running_labs(run_base)
    labs = [lab] if lab else running_labs(run_base)
    found: dict[str, list[str]] = {}
    if len(labs) == 1:
        with suppress(OSError, EOFError, ValueError, LabError):  # it has ended, or is silent
            found = asked(run_base, labs[0], "names")
    if kind in _IN_NODES:
        return [f"{node}:/" for node in found.get("nodes", ())]
    return [name for part in _KINDS.get(kind, ()) for name in found.get(part, ())]
