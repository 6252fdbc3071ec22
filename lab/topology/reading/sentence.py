"""A step as a sentence: `bob reaches app1:80`, `alice connects over IkeV2`, `revoke alice`.

The words are those of reports (lab.topology.model.steps.text_of); a mapping as in a file,
`{reaches: bob, host: app1, port: 80}`, is understood too.
"""

from __future__ import annotations

import json
import re
from typing import Any

from lab.choices import did_you_mean
from lab.errors import UsageError
from lab.topology.model.steps import CHECKS, VERBS
from lab.topology.model.values import Words
from lab.topology.reading.document import DocumentError, read

_WORD = re.compile(r"""\{.*\}|"(?:[^"\\]|\\.)*"|'[^']*'|\S+""", re.DOTALL)
_SPACED = {
    tuple(re.sub("[A-Z]", lambda found: f" {found[0].lower()}", verb).split()): verb
    for verb in VERBS
}
_TARGETS = {
    "reaches": ("host", "address"),
    "cannotReach": ("host", "address"),
    "noCleartext": ("host", "host"),
    "survivesRekey": ("host", "host"),
    "resolves": ("name", "name"),
    "cannotResolve": ("name", "name"),
}
"""The keys of a target that is named without a key: for a node's name, and for anything else."""
_TARGET = re.compile(r"(?P<what>.+?)(?::((?P<protocol>tcp|udp)/)?(?P<port>[0-9]{1,99}))?")
_OTHER_PORT = re.compile(r"(?P<what>[^:]+):(?P<port>[^:]*)")
_NUMBER = re.compile(r"[0-9]{1,99}(\.[0-9]{1,99})?")
_LIKE = "write it like 'bob reaches app1:80' or 'revoke alice'"


def step_of(text: str) -> dict[str, Any]:
    """The step that a sentence or a mapping says, as data; UsageError. Its names and values are
    not checked."""
    if text.lstrip().startswith("{"):
        return _mapping(text)
    words = _joined(_WORD.findall(text))
    verb, subject, rest = _verb_of(text, words)
    known = {field.alias or name: field.annotation
             for name, field in VERBS[verb].model_fields.items() if name != verb}  # fmt: skip
    several = [_plain(name) for name in subject.split(", ")]
    step: dict[str, Any] = {verb: several if len(several) > 1 else several[0]}
    if rest and rest[0] not in known and verb in _TARGETS:
        step |= _target(text, verb, _plain(rest.pop(0)))
    while rest:
        key = rest.pop(0)
        if key not in known:
            raise UsageError(f"{text!r}: {verb} has no {key!r}", did_you_mean(key, list(known)))
        if key in step:
            raise UsageError(f"{text!r}: {key!r} is given twice", "give it once")
        value: list[str] = []
        while rest and (not value or rest[0] not in known):
            value.append(rest.pop(0))
        if not value:
            raise UsageError(f"{text!r}: {key!r} has no value", _LIKE)
        step[key] = _value(text, value, is_text=known[key] in (str, str | None, Words | None))
    return step


def _joined(words: list[str]) -> list[str]:
    """`alice, bob` as one word."""
    found: list[str] = []
    for word in words:
        if found and found[-1].endswith(","):
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


def _verb_of(text: str, words: list[str]) -> tuple[str, str, list[str]]:
    """The verb, its subject, and the other words."""
    found = []
    for spelled, verb in [*_SPACED.items(), *(((verb,), verb) for verb in VERBS)]:
        # As in reports: `alice connects`, but `revoke alice`.
        at = 1 if VERBS[verb] in CHECKS else 0
        if tuple(words[at : at + len(spelled)]) == spelled:
            found.append((len(spelled), at, verb))
    if not found:
        # Of the first two words, the one that is more like a verb is the mistyped one.
        meant = [did_you_mean(word, VERBS) for word in words[:2]]
        hint = next((each for each in reversed(meant) if each.startswith("did you")), _LIKE)
        raise UsageError(f"{text!r} has no word of `expect:`", hint)
    length, at, verb = max(found)
    left = words[:at] + words[at + length :]
    if not left:
        raise UsageError(f"{text!r} names nobody", _LIKE)
    return verb, left[0], left[1:]


def _target(text: str, verb: str, word: str) -> dict[str, Any]:
    node, other = _TARGETS[verb]
    if "//" in word:
        raise UsageError(f"{text!r}: {word!r} is a URL", "name a host, and write it like app1:80")
    found = _TARGET.fullmatch(word)
    assert found  # it matches any text
    if not found["port"] and (wrong := _OTHER_PORT.fullmatch(word)):
        port = f"{wrong['port']!r} is not the number of a port"
        raise UsageError(f"{text!r}: {port}", f"write it like {wrong['what']}:80")
    target: dict[str, Any] = {other if "." in found["what"] else node: found["what"]}
    if found["port"]:
        target["port"] = int(found["port"])
    return target | ({"protocol": found["protocol"]} if found["protocol"] else {})


def _value(text: str, words: list[str], *, is_text: bool) -> Any:
    """One value: several words are one text; a number is one, unless a text is wanted."""
    if words[0].startswith("{"):
        try:
            return json.loads(words[0])
        except ValueError as error:
            raise UsageError(f"{text!r}: not JSON: {error}", 'write it like {"key": 1}') from None
    if not is_text and len(words) == 1 and _NUMBER.fullmatch(words[0]):
        return float(words[0]) if "." in words[0] else int(words[0])
    return " ".join(_plain(word) for word in words)


def _plain(word: str) -> str:
    """A word without its quotes."""
    quoted = len(word) > 1 and word[0] == word[-1] and word[0] in "'\""
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if quoted else word


def _mapping(text: str) -> dict[str, Any]:
    try:
        document = read(text)
    except DocumentError as error:
        raise UsageError(f"{text!r}: {error}", error.remedy) from None
    for flaw in document.flaws:
        raise UsageError(f"{text!r}: {flaw}", flaw.remedy)
    step: dict[str, Any] = document.data
    return step
