"""YAML text to plain data, remembering where everything stood.

PyYAML (libyaml) parses; this composes, and so decides what is accepted: one document, one
mapping, text keys, no key twice, no tags, YAML 1.2's plain true/false, null and numbers (so `no`
and `22:22` stay text). Merge keys and aliases work, but what they expand to is counted before
anything is expanded: a bomb is refused in the time it takes to read it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.reader import Reader

from lab.boot.source import EXAMPLE
from lab.topology.reading.problems import Path

Mark = tuple[int, int]
"""Line and column, from 1."""

MAXIMUM_DEPTH = 40
MAXIMUM_VALUES = 20_000
_MERGE = "<<"
_CONTROL: re.Pattern[str] = Reader.NON_PRINTABLE
"""What YAML 1.2 does not let stand in a text (section 5.1); to compile it takes 4 ms."""

_LINE_END = re.compile(r"\r\n?|\n")
"""What editors end a line at. libyaml's own line numbers are YAML 1.1's: they count U+0085 too."""

_PLAIN: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(r"null|Null|NULL|~|"), lambda _: None),
    (re.compile(r"[-+]?[0-9]{1,18}"), int),
    (re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}"), float),
)


class DocumentError(Exception):
    """The text cannot be read any further."""

    def __init__(self, mark: Mark, message: str, remedy: str) -> None:
        super().__init__(message)
        self.mark = mark
        self.message = message
        self.remedy = remedy


@dataclass
class Document:
    """The data, and line and column of every key and value by its path."""

    data: Any = None
    keys: dict[Path, Mark] = field(default_factory=dict)
    values: dict[Path, Mark] = field(default_factory=dict)
    flaws: list[DocumentError] = field(default_factory=list)
    """What was wrong but did not hinder reading on, such as a key given twice."""

    def mark(self, path: Path, *, at_key: bool = False) -> Mark:
        """Where the path stands, or the nearest part above it that is in the file."""
        for length in range(len(path), -1, -1):
            part = path[:length]
            if at_key and part in self.keys:
                return self.keys[part]
            if part in self.values:
                return self.values[part]
        return (1, 1)


@dataclass
class _Node:
    mark: Mark
    size: int = 1
    """How many values it is when every alias is written out."""
    height: int = 1
    """How many levels it has when every alias is written out."""

    def take(self, child: _Node) -> None:
        """Count a child in."""
        self.size += child.size
        self.height = max(self.height, child.height + 1)


@dataclass
class _Scalar(_Node):
    text: str = ""
    plain: bool = False


@dataclass
class _Sequence(_Node):
    items: list[_Node] = field(default_factory=list)


@dataclass
class _Mapping(_Node):
    pairs: list[tuple[_Scalar, _Node]] = field(default_factory=list)


def read(text: str) -> Document:
    """Compose the text; DocumentError where it cannot be read on."""
    document = Document()
    places = _Places(text)
    _refuse_control_characters(text, places)
    try:
        root = _Composer(text, places, document.flaws).document()
    except yaml.YAMLError as error:
        raise _syntax_error(error, text, places) from None
    document.data = _Builder(document).build(root, ())
    return document


class _Places:
    """Where in the text a character is."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(end.end() for end in _LINE_END.finditer(text))]

    def mark(self, index: int) -> Mark:
        """Line and column of the character with this number."""
        line = bisect_right(self._starts, index)
        return line, index - self._starts[line - 1] + 1


class _Composer:
    """Events to nodes. Aliases share their node; sizes are counted as if they did not."""

    def __init__(self, text: str, places: _Places, flaws: list[DocumentError]) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=yaml.CSafeLoader)
        self._places = places
        self._anchors: dict[str, _Node | None] = {}
        self._flaws = flaws

    def document(self) -> _Node:
        next(self._events)  # StreamStart
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return _Scalar((1, 1), plain=True)
        root = self._node(next(self._events), 0)
        next(self._events)  # DocumentEnd
        further = next(self._events)
        if not isinstance(further, yaml.StreamEndEvent):
            raise DocumentError(
                self._mark(further), "a second YAML document", "keep one; remove the line ---"
            )
        return root

    def _node(self, event: Any, depth: int) -> _Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > MAXIMUM_DEPTH:
            raise _too_deep(self._mark(event))
        if event.tag is not None:
            self._flaw(event, f"the tag {event.tag!r} is not accepted", "leave it out")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node = self._content(event, depth)
        if node.size > MAXIMUM_VALUES:
            raise DocumentError(
                node.mark,
                f"written out this is more than {MAXIMUM_VALUES} values",
                "a topology is far smaller; do not nest aliases in aliases",
            )
        if node.height > MAXIMUM_DEPTH:
            raise _too_deep(self._mark(event))
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _content(self, event: Any, depth: int) -> _Node:
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, depth)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, depth)
        return _Scalar(self._mark(event), text=event.value, plain=event.implicit[0])

    def _alias(self, event: Any) -> _Node:
        if event.anchor not in self._anchors:
            raise DocumentError(
                self._mark(event),
                f"*{event.anchor} refers to nothing",
                f"write &{event.anchor} before the value that is meant",
            )
        node = self._anchors[event.anchor]
        if node is None:
            raise DocumentError(
                self._mark(event), f"*{event.anchor} contains itself", "write the value out"
            )
        return node

    def _sequence(self, event: Any, depth: int) -> _Node:
        node = _Sequence(self._mark(event))
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            item = self._node(event, depth + 1)
            node.items.append(item)
            node.take(item)
        return node

    def _mapping(self, event: Any, depth: int) -> _Node:
        node = _Mapping(self._mark(event))
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            node.take(key)
            node.take(value)
            if isinstance(key, _Scalar):
                node.pairs.append((key, value))
            else:
                self._flaw(event, "a key must be text", "write key: value")
        return node

    def _mark(self, event: Any) -> Mark:
        return self._places.mark(event.start_mark.index)

    def _flaw(self, event: Any, message: str, remedy: str) -> None:
        self._flaws.append(DocumentError(self._mark(event), message, remedy))


class _Builder:
    """Nodes to plain data, noting where each part stood."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._complained: set[Mark] = set()

    def build(self, node: _Node, path: Path) -> Any:
        self._document.values[path] = node.mark
        if isinstance(node, _Mapping):
            return self._mapping(node, path)
        if isinstance(node, _Sequence):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.items)]
        assert isinstance(node, _Scalar)
        return _value(node)

    def _mapping(self, node: _Mapping, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in self._pairs(node).values():
            where = (*path, key.text)
            self._document.keys[where] = key.mark
            result[key.text] = self.build(value, where)
        return result

    def _pairs(self, node: _Mapping) -> dict[str, tuple[_Scalar, _Node]]:
        """A mapping's own pairs, then what it merges; what came first stays."""
        own: dict[str, tuple[_Scalar, _Node]] = {}
        merged: dict[str, tuple[_Scalar, _Node]] = {}
        for key, value in node.pairs:
            if key.plain and key.text == _MERGE:
                for source in self._merge_sources(value):
                    merged = self._pairs(source) | merged
            elif key.text in own:
                first = own[key.text][0].mark[0]
                self._flaw(key, f"key {key.text!r} is given twice, first in line {first}",
                           "keep one of them")  # fmt: skip
            else:
                own[key.text] = (key, value)
        return own | {text: pair for text, pair in merged.items() if text not in own}

    def _merge_sources(self, value: _Node) -> list[_Mapping]:
        sources = value.items if isinstance(value, _Sequence) else [value]
        for source in sources:
            if not isinstance(source, _Mapping):
                self._flaw(source, "<< merges mappings only", "write <<: *name of a mapping")
        return [source for source in sources if isinstance(source, _Mapping)]

    def _flaw(self, node: _Node, message: str, remedy: str) -> None:
        if node.mark not in self._complained:  # an aliased mapping is built more than once
            self._complained.add(node.mark)
            self._document.flaws.append(DocumentError(node.mark, message, remedy))


def _value(node: _Scalar) -> Any:
    if node.plain:
        for pattern, convert in _PLAIN:
            if pattern.fullmatch(node.text):
                return convert(node.text)
    return node.text


def _too_deep(mark: Mark) -> DocumentError:
    return DocumentError(mark, "nested too deeply", f"at most {MAXIMUM_DEPTH} levels are read")


def _refuse_control_characters(text: str, places: _Places) -> None:
    found = _CONTROL.search(text)
    if found:
        mark = places.mark(found.start())
        raise DocumentError(mark, f"not YAML: a control character, {found[0]!r}", "remove it")


def _syntax_error(error: yaml.YAMLError, text: str, places: _Places) -> DocumentError:
    at = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or str(error)
    if at is None:
        return DocumentError((1, 1), f"not YAML: {said}", f"see {EXAMPLE}")
    mark = places.mark(at.index)
    if "nesting depth" in said:  # libyaml reads ahead and finds it first
        return _too_deep(mark)
    if text[at.index : at.index + 1] == "\t":
        return DocumentError(mark, "a tab in the indentation", "YAML wants spaces")
    context = getattr(error, "context", None)
    return DocumentError(
        mark,
        f"not YAML: {said}" + (f" {context}" if context else ""),
        "look at indentation, brackets and quotes here and in the line above",
    )
