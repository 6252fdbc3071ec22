"""A first check of the command line, before anything is made.

The verbs parse it again inside the root. This check uses a table of their options and arguments
(lab/cli/commands.json), which is generated from the verbs.
"""

from __future__ import annotations

import json
import os
from typing import Any, Callable, NamedTuple, NoReturn

from lab.boot.enter import inside, is_replaced
from lab.boot.source import EXAMPLE
from lab.boot.verbs import VERBS, Verb
from lab.choices import did_you_mean, listing
from lab.errors import UsageError

HELP, VERSION, NO_INSTALL = ("--help", "-h"), "--version", "--no-install"
EMPTY = "an empty word is no file's name; is a variable of the shell empty?"
_NUMBERS: dict[str, tuple[Callable[[str], object], str]] = {
    "integer": (int, "not a whole number"),
    "number": (float, "not a number"),
}


class File(NamedTuple):
    """A word of the command line that names a file, or a directory to write to."""

    at: int
    """The index in Call.arguments."""
    start: int
    """The position in the word at which the name begins."""
    read: bool
    """Whether it must exist."""


class Call(NamedTuple):
    """A valid command line."""

    arguments: list[str]
    """All words that are passed on."""
    verb: str = ""
    own: list[str] = []  # noqa: RUF012 (a named tuple's default; never modified)
    """The words after the verb."""
    install: bool = True
    asked: str = ""
    """`help`, `version` or empty."""
    command: str = ""
    """The verb, with its subcommand if it has one (pki)."""
    files: tuple[File, ...] = ()
    lab: str | None = None
    """The name that a lab has, or is to have, if it is given."""

    @property
    def row(self) -> Verb:
        """The verb's row in the table."""
        return VERBS[self.verb]

    @property
    def builds_lab(self) -> bool:
        """Whether the verb starts a lab; `test` does if it runs all tests."""
        return (self.row.may_ask and "--dry-run" not in self.own) or (
            self.verb == "test" and not self.own
        )

    def file(self, file: File) -> str:
        """The name of one of the files."""
        return self.arguments[file.at][file.start :]


def read(arguments: list[str], table: dict[str, Any]) -> Call:
    """Parse a command line; UsageError with a remedy.

    `--no-install` is an option of the launcher at any position, and is not passed on, except among
    the arguments of exec's program.
    """
    words = arguments or ["--help"]
    if words[0] in ("help", "version"):  # as in other tools
        words = [*words[1:2], f"--{words[0]}"]
    return _Reader(words, table).call()


def load_table(source: str) -> dict[str, Any]:
    """The options and arguments of every verb, and its help."""
    with open(os.path.join(source, "lab", "cli", "commands.json"), encoding="utf-8") as file:
        table: dict[str, Any] = json.load(file)
    return table


def shown_elsewhere(call: Call, shown: list[str]) -> tuple[list[str], list[str]]:
    """The arguments with file names as seen in the private root, and the directories to show there.

    A file in a directory that the private root replaces appears below /var/host. `shown` are
    directories in which relative names stay valid.
    """
    below = tuple(
        os.path.realpath(directory) + "/" for directory in shown if is_replaced(directory)
    )
    arguments, directories = list(call.arguments), []
    for file in call.files:
        path = call.file(file)
        real = os.path.realpath(path)
        if not is_replaced(path) or (not os.path.isabs(path) and real.startswith(below)):
            continue
        directories.append(_nearest_directory(real))
        arguments[file.at] = arguments[file.at][: file.start] + inside(real)
    return arguments, directories


def refuse_missing(call: Call) -> None:
    """Raise UsageError if an input file cannot be read."""
    for file in call.files:
        path = call.file(file)
        if not file.read:
            continue
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}", f"start from {EXAMPLE}") from None
        if os.path.isdir(path):
            raise UsageError(f"{path} is a directory", "name a file in it")


class _Reader:
    """Parses one command line by the table."""

    def __init__(self, words: list[str], table: dict[str, Any]) -> None:
        self._words = words
        self._table = table
        self._at = 0
        self._kept: list[str] = []
        self._verb_at: int | None = None
        self._install = True
        self._asked = ""
        self._command = ""
        self._given = 0
        self._files: list[File] = []
        self._lab: str | None = None

    def call(self) -> Call:
        """Read it to its end."""
        while self._at < len(self._words) and not self._asked:
            word = self._next()
            if word == "--":
                self._keep(word)
                while self._at < len(self._words):
                    self._argument(self._next())
            elif word.startswith("-") and word != "-":
                self._option(word)
            else:
                self._argument(word)
        if not self._asked:
            self._refuse_too_few()
        verb = "" if self._verb_at is None else self._kept[self._verb_at]
        own = [] if self._verb_at is None else self._kept[self._verb_at + 1 :]
        return Call(self._kept, verb, own, self._install, self._asked, self._command,
                    tuple(self._files), self._lab)  # fmt: skip

    def _next(self) -> str:
        self._at += 1
        return self._words[self._at - 1]

    def _keep(self, word: str) -> None:
        self._kept.append(word)

    @property
    def _rules(self) -> dict[str, Any]:
        rules: dict[str, Any] = self._table[self._command]
        return rules

    @property
    def _of_the_launcher(self) -> bool:
        return self._command in VERBS and VERBS[self._command].of_the_launcher

    def _option(self, word: str) -> None:
        name, equals, value = word.partition("=")
        options = self._rules["options"]
        if name == NO_INSTALL:
            self._install = False
        elif name in HELP and name in options:
            self._asked = "help"
        elif name == VERSION and name in options:
            self._asked = "version"
        elif name in options:
            self._keep(word)
            self._value(name, options[name], value if equals else None)
        elif self._rules["strict"]:
            self._unknown("option", name, options)
        else:
            self._keep(word)

    def _value(self, name: str, kind: str, value: str | None) -> None:
        if kind == "flag":
            if value is not None:
                self._refuse(f"{name} takes no value")
            return
        start = len(name) + 1
        if value is None:
            start = 0
            if self._at == len(self._words) or self._words[self._at] == NO_INSTALL:
                self._refuse(f"{name} needs a value")
            value = self._next()
            self._keep(value)
        if name == "--name":
            self._lab = value
        if kind == "path":
            self._file(name, start, read=False)
        if kind in _NUMBERS:
            self._refuse_no_number(name, value, *_NUMBERS[kind])

    def _refuse_no_number(
        self, name: str, value: str, made: Callable[[str], object], said: str
    ) -> None:
        try:
            made(value)
        except ValueError:
            self._refuse(f"{name} {value}: {value!r} is {said}")

    def _argument(self, word: str) -> None:
        below = self._rules["commands"]
        if below:
            self._descend(word, below)
            return
        for what, known in self._rules["words"].items():
            if not self._given and word not in known:
                meant, there = did_you_mean(word, known), f"there are {listing(known)}"
                raise UsageError(
                    f"{self._command}: there is no {what} {word!r}",
                    meant if there in meant else f"{meant} {there}",
                )
        self._keep(word)
        free = (rule for rule in self._rules["arguments"]
                if rule["last"] is None or self._given < rule["last"])  # fmt: skip
        taken = next(free, None)
        if taken is None:
            self._refuse(f"unexpected argument {word!r}")
        running = VERBS[self._command.partition(" ")[0]].running
        if taken["file"]:  # of `cp`, a word may also name a file in a node
            self._file(taken["name"], 0, read=not running)
        elif running and taken["name"] == "NAME":
            self._lab = word
        self._given += 1
        if not self._rules["interspersed"]:  # the rest belongs to the program
            left = self._words[self._at :]
            self._kept += left
            self._given += len(left)
            self._at = len(self._words)

    def _file(self, what: str, start: int, *, read: bool) -> None:
        """The last word names a file, from `start` on."""
        if not self._kept[-1][start:]:  # which would be taken for the current directory
            self._refuse(f"{what}: {EMPTY}")
        self._files.append(File(len(self._kept) - 1, start, read=read))

    def _descend(self, word: str, below: list[str]) -> None:
        if word not in below:
            self._unknown("verb" if not self._command else "word", word, below)
        if not self._command:
            self._verb_at = len(self._kept)
        self._keep(word)
        self._command = f"{self._command} {word}".strip()
        if self._of_the_launcher:
            left = self._words[self._at :]
            self._install = self._install and NO_INSTALL not in left
            self._kept += [other for other in left if other != NO_INSTALL]
            self._at = len(self._words)

    def _refuse_too_few(self) -> None:
        """Refuse a command line that lacks a required argument."""
        if self._of_the_launcher:
            return
        if self._rules["commands"]:
            self._refuse(f"one of {', '.join(self._rules['commands'])} is missing")
        for rule in self._rules["arguments"]:
            if self._given < rule["first"]:
                for what, known in self._rules["words"].items():
                    raise UsageError(f"{self._command}: no {what} is named", listing(known))
                self._refuse(f"{rule['name']} is missing")

    def _unknown(self, what: str, word: str, known: Any) -> NoReturn:
        if what == "verb" and os.path.isfile(word):
            raise UsageError(f"there is no verb {word!r}", f"p2slab verify {word}")
        where = f"{self._command}: " if self._command else ""
        raise UsageError(f"{where}there is no {what} {word!r}", did_you_mean(word, known))

    def _refuse(self, said: str) -> NoReturn:
        where = f"p2slab {self._command}".strip()
        raise UsageError(f"{self._command}: {said}", f"{where} --help")


def _nearest_directory(path: str) -> str:
    """The file's directory, or its nearest existing ancestor."""
    directory = os.path.dirname(path)
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    return directory
