"""YAML text to plain data, with the position of every key and value.

PyYAML (libyaml) parses; this module composes and decides what is accepted: one document, one
mapping, text keys, no duplicate keys, no tags, YAML 1.2's plain true/false, null and numbers (so
`no` and `22:22` stay text). Merge keys and aliases work, but the expanded size is counted before
anything is expanded: a YAML bomb costs no more than the time to read it.
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
_QUOTES = ("'", '"')
_CONTROL: re.Pattern[str] = Reader.NON_PRINTABLE
"""Characters that YAML 1.2 forbids (section 5.1); compiling our own would take 4 ms."""

_LINE_END = re.compile(r"\r\n?|\n")
"""Line ends as editors count them. libyaml counts lines by YAML 1.1, where U+0085 ends one too."""

_PLAIN: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(r"null|Null|NULL|~|"), lambda _: None),
    (re.compile(r"[-+]?[0-9]{1,18}"), int),
    (re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}"), float),
)


class DocumentError(Exception):
    """A syntax error, or an error that does not stop the reading (Document.flaws)."""

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
    """Errors that did not stop the reading, such as a duplicate key."""

    def mark(self, path: Path, *, at_key: bool = False) -> Mark:
        """The position of the path, or of its nearest ancestor in the file."""
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
    """The number of values after expanding every alias."""
    height: int = 1
    """The number of levels after expanding every alias."""

    def count(self, child: _Node) -> None:
        """Add a child's size and height."""
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
    """Compose the text; DocumentError if it cannot be read to its end."""
    document = Document()
    positions = _Positions(text)
    _refuse_control_characters(text, positions)
    try:
        root = _Composer(text, positions, document.flaws).document()
    except yaml.YAMLError as error:
        raise _syntax_error(error, text, positions) from None
    document.data = _Builder(document).build(root, ())
    return document


class _Positions:
    """Lines and columns of characters in the text."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(end.end() for end in _LINE_END.finditer(text))]

    def mark(self, index: int) -> Mark:
        """Line and column of the character at this index."""
        line = bisect_right(self._starts, index)
        return line, index - self._starts[line - 1] + 1


class _Composer:
    """Events to nodes. Aliases share their node; sizes count each alias in full."""

    def __init__(self, text: str, positions: _Positions, flaws: list[DocumentError]) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=yaml.CSafeLoader)
        self._positions = positions
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
                f"more than {MAXIMUM_VALUES} values after expanding aliases",
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
                f"define &{event.anchor} before using it",
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
            node.count(item)
        return node

    def _mapping(self, event: Any, depth: int) -> _Node:
        node = _Mapping(self._mark(event))
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            node.count(key)
            node.count(value)
            if isinstance(key, _Scalar):
                node.pairs.append((key, value))
            else:
                self._flaw(event, "a key must be text", "write key: value")
        return node

    def _mark(self, event: Any) -> Mark:
        return self._positions.mark(event.start_mark.index)

    def _flaw(self, event: Any, message: str, remedy: str) -> None:
        self._flaws.append(DocumentError(self._mark(event), message, remedy))


class _Builder:
    """Nodes to plain data, recording the position of each part."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._reported: set[Mark] = set()

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
        """A mapping's own pairs, then the merged ones; the first value of a key wins."""
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
        if node.mark not in self._reported:  # an aliased mapping is built more than once
            self._reported.add(node.mark)
            self._document.flaws.append(DocumentError(node.mark, message, remedy))


def _value(node: _Scalar) -> Any:
    if node.plain:
        for pattern, convert in _PLAIN:
            if pattern.fullmatch(node.text):
                return convert(node.text)
    return node.text


def _too_deep(mark: Mark) -> DocumentError:
    return DocumentError(mark, "nested too deeply", f"at most {MAXIMUM_DEPTH} levels are read")


def _refuse_control_characters(text: str, positions: _Positions) -> None:
    found = _CONTROL.search(text)
    if found:
        mark = positions.mark(found.start())
        raise DocumentError(mark, f"not YAML: a control character, {found[0]!r}", "remove it")


def _syntax_error(error: yaml.YAMLError, text: str, positions: _Positions) -> DocumentError:
    at = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    opened = getattr(error, "context_mark", None)
    if opened and text[opened.index : opened.index + 1] in _QUOTES:
        mark = positions.mark(opened.index)
        return DocumentError(mark, "not YAML: a quote that is not closed", "close it")
    problem = getattr(error, "problem", None) or str(error)
    if at is None:
        return DocumentError((1, 1), f"not YAML: {problem}", f"see {EXAMPLE}")
    mark = positions.mark(at.index)
    if "nesting depth" in problem:  # libyaml reads ahead and finds it first
        return _too_deep(mark)
    if text[at.index : at.index + 1] == "\t":
        return DocumentError(mark, "a tab in the indentation", "indent with spaces")
    context = getattr(error, "context", None)
    return DocumentError(
        mark,
        f"not YAML: {problem}" + (f" {context}" if context else ""),
        "check indentation, brackets and quotes here and in the line above",
    )
