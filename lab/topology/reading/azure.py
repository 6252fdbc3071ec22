"""Azure's documents in a topology: read, put into the models' form, and traced to their places.

A gateway's document is its `properties`, or a JSON file that it names with `document`. Both may be
what any of Azure's tools writes (`gateway.arm.canonical`). So are the `properties` of an `update`
or a `create`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from gateway.arm.canonical import Canonical, canonical, exists, steps
from gateway.arm.resource import VirtualNetworkGateway
from lab.boot.enter import outside
from lab.topology.model.steps import verb_of
from lab.topology.reading.document import Document, DocumentError, read
from lab.topology.reading.problems import Located, Path, Problem

MAXIMUM_BYTES = 1_000_000
_PROPERTIES = "properties"
_CHANGES = ("update", "create")
_GET = "save what `az network vnet-gateway show` prints, or the answer of GET"


@dataclass(frozen=True)
class Source:
    """Where a document was read: a file, and the path in it."""

    file: str
    document: Document
    path: Path = ()

    def located(self, path: Path, message: str, remedy: str, *, at_key: bool = False) -> Located:
        """The problem at this path of the document."""
        mark = self.document.mark((*self.path, *path), at_key=at_key)
        return Located(self.file, *mark, message, remedy)


@dataclass
class Taken:
    """A topology's data with Azure's documents in the models' form."""

    data: dict[str, Any]
    source: Source
    problems: list[Located] = field(default_factory=list)
    unread: set[Path] = field(default_factory=set)
    """Entries whose document could not be read: nothing else is said of them."""
    documents: dict[Path, tuple[Source, Canonical]] = field(default_factory=dict)
    """By the path of a document in `data`."""

    def locate(self, problem: Problem) -> Iterator[Located]:
        """A problem of the data, where the user wrote it; nothing, if it is told already."""
        path = problem.path
        if any(path[: len(entry)] == entry for entry in self.unread):
            return
        source, at = self.source, path
        for start, (there, found) in self.documents.items():
            if path[: len(start)] == start:
                source, at = there, found.place((_PROPERTIES, *path[len(start) :]))
                if at in found.told:
                    return
        place = source.located(at, problem.message, problem.remedy, at_key=problem.at_key)
        told = {(one.file, one.line, one.column) for one in self.problems}
        if (place.file, place.line, place.column) not in told:
            yield place


def take(document: Document, file: str, base: FilePath) -> Taken:
    """Every document of Azure's in a topology; `base` is the directory of the files it names."""
    data = dict(document.data)
    taken = Taken(data, Source(file, document))
    gateways = data.get("gateways")
    if isinstance(gateways, dict):
        data["gateways"] = {
            name: _gateway(taken, ("gateways", name), dict(gateway), base)
            if isinstance(gateway, dict)
            else gateway
            for name, gateway in gateways.items()
        }
    expect = data.get("expect")
    if isinstance(expect, list):
        data["expect"] = [_step(taken, ("expect", n), step) for n, step in enumerate(expect)]
    return taken


def _gateway(taken: Taken, path: Path, gateway: dict[str, Any], base: FilePath) -> dict[str, Any]:
    name = gateway.get("document")
    source = Source(taken.source.file, taken.source.document, (*path, _PROPERTIES))
    if name is not None and _PROPERTIES in gateway:
        message, remedy = "`document` beside `properties`", "keep one of them"
        taken.problems.append(taken.source.located((*path, "document"), message, remedy))
    elif isinstance(name, str):
        try:
            source = _file(name, base)
        except DocumentError as error:
            taken.problems.append(_unreadable(taken, path, name, base, error))
            taken.unread.add(path)
            return gateway
        flaws = source.document.flaws
        taken.problems += [Located(source.file, *f.mark, f.message, f.remedy) for f in flaws]
        gateway[_PROPERTIES] = source.document.data
    ignore = gateway.get("ignore")
    texts = [text for text in ignore if isinstance(text, str)] if isinstance(ignore, list) else []
    if _PROPERTIES in gateway:
        document = gateway[_PROPERTIES]
        found = canonical(VirtualNetworkGateway, document, ignore=texts)
        gateway[_PROPERTIES] = _properties(taken, path, source, found)
        for text in found.unused if not found.foreign else ():
            message = (
                f"nothing at {text!r} is refused"
                if exists(document, steps(text))
                else f"the document has no {text!r}"
            )
            at = (*path, "ignore", texts.index(text))
            taken.problems.append(taken.source.located(at, message, "leave it out"))
    return gateway


def _step(taken: Taken, path: Path, step: Any) -> Any:
    if not isinstance(step, dict) or verb_of(step) not in _CHANGES or _PROPERTIES not in step:
        return step
    found = canonical(VirtualNetworkGateway, step[_PROPERTIES], patch=True)
    source = Source(taken.source.file, taken.source.document, (*path, _PROPERTIES))
    return step | {_PROPERTIES: _properties(taken, path, source, found)}


def _properties(taken: Taken, path: Path, source: Source, found: Canonical) -> Any:
    """The `properties` of a document; what is wrong with it becomes problems."""
    for flaw in found.flaws:
        remedy = flaw.remedy
        if flaw.ignore and path[0] == "gateways":
            remedy += f", or go on without it: `ignore: [{flaw.ignore}]`"
        taken.problems.append(source.located(flaw.path, flaw.message, remedy, at_key=flaw.at_key))
    if found.foreign:
        taken.unread.add(path)
        return None
    document = found.document
    if not isinstance(document, dict):
        found.places[(_PROPERTIES,)] = ()
        taken.documents[*path, _PROPERTIES] = (source, found)
        return document
    taken.documents[*path, _PROPERTIES] = (source, found)
    for key in document.keys() - {"name", _PROPERTIES}:
        at = found.place((key,))
        taken.problems.append(
            source.located(at, f"unknown key {key!r}", "leave it out", at_key=True)
        )
    return document.get(_PROPERTIES, {})


# ------------------------------------------------------------------------------------- JSON files


def _file(name: str, base: FilePath) -> Source:
    """A JSON file. DocumentError: it cannot be read, or is no JSON."""
    path = base / name
    try:
        with path.open("rb") as stream:
            content = stream.read(MAXIMUM_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _FileError(reason[0].lower() + reason[1:]) from None
    if len(content) > MAXIMUM_BYTES:
        raise DocumentError((1, 1), f"larger than {MAXIMUM_BYTES // 1000} kB", _GET)
    try:
        text = content.decode(json.detect_encoding(content)).removeprefix("\ufeff")
        json.loads(text)
    except UnicodeDecodeError:
        raise DocumentError((1, 1), "not UTF-8 or UTF-16 text", _GET) from None
    except json.JSONDecodeError as error:
        raise DocumentError((error.lineno, error.colno), f"not JSON: {error.msg}", _GET) from None
    except (ValueError, RecursionError) as error:
        raise DocumentError((1, 1), f"not JSON: {error}", _GET) from None
    return Source(outside(path), read(text))


class _FileError(DocumentError):
    """The file itself cannot be read: a problem of the name in the topology."""

    def __init__(self, reason: str) -> None:
        super().__init__((1, 1), reason, "file names are relative to the topology file")


def _unreadable(
    taken: Taken, path: Path, name: str, base: FilePath, error: DocumentError
) -> Located:
    if isinstance(error, _FileError):
        at = (*path, "document")
        return taken.source.located(at, f"{name}: {error.message}", error.remedy)
    return Located(outside(base / name), *error.mark, error.message, error.remedy)
