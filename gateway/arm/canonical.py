"""A document as Azure's tools write it, put into the form that the models have.

ARM does not care for the case of names and of enumerated values; az and Azure PowerShell print the
inner `properties` beside the other fields; the Python SDK writes snake_case; GET adds read-only
fields and writes defaults out. `canonical` takes all of these. What the lab cannot carry out, and
nobody has allowed it to ignore, is a flaw, one for each feature.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from gateway.arm.fields import (
    ABSENT,
    ENTRA_ID,
    ROWS,
    VALUES,
    Feature,
    Row,
)
from gateway.arm.flaw import SHOW, Flaw, Path, fold
from gateway.arm.foreign import foreign
from gateway.arm.model import ArmModel
from gateway.arm.resource import NOT_YET, SubResource
from gateway.arm.sku import BASIC

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import BaseModel

_PROPERTIES = "properties"
_BOOLEAN = TypeAdapter(bool)
_EXPRESSION = re.compile(r"\[(?!\[).*\]", re.DOTALL)
"""azure-docs template-expressions: brackets around it; two at the beginning are a literal one."""


@dataclass
class Canonical:
    """A document in the models' form."""

    document: Any
    places: dict[Path, Path] = field(default_factory=dict)
    """Paths in `document` to those in the document as it was given."""
    flaws: list[Flaw] = field(default_factory=list)
    unused: tuple[str, ...] = ()
    """Paths to be ignored at which nothing was."""
    told: frozenset[Path] = frozenset()
    """Places, in the document as it was given, of which a flaw speaks that stands at the first."""
    foreign: bool = False
    """Whether it is no document of a resource at all; the flaws say what it is."""

    def place(self, path: Path) -> Path:
        """The path in the document as it was given; the nearest, if it has none of this path."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return (*self.places[path[:length]], *path[length:])
        return path


def canonical(
    model: type[BaseModel], data: Any, *, ignore: Sequence[str] = (), patch: bool = False
) -> Canonical:
    """The document in the form that `model` has.

    `ignore` has paths from `properties` on, such as "natRules": what the lab cannot carry out at or
    below them is left out. In a `patch` (RFC 7396) null stays.
    """
    if flaw := foreign(model, data):
        return Canonical(None, flaws=[flaw], foreign=True)
    paths = {text: steps(text) for text in ignore}
    reader = first = _Reader(paths, patch=patch)
    document = first.resource(model, data)
    ignored = first.without()
    if ignored:
        reader = _Reader(paths, ignored, patch=patch)
        document = reader.resource(model, data)
    reader.flaws += _told(reader, ignored)
    if isinstance(document, dict) and isinstance(inner := document.get(_PROPERTIES), dict):
        if ENTRA_ID in ignored and not _authentication(inner):
            reader.flaws.append(_nobody_is_left(reader.asked[ENTRA_ID][0]))
        if not patch:
            _fill_in(inner)
    unused = tuple(text for text in paths if text not in first.used)
    told = frozenset(place for places in reader.asked.values() for place in places)
    return Canonical(document, reader.places, reader.flaws, unused, told)


def steps(path: str) -> Path:
    """A path such as `vpnClientConfiguration.radiusServers[0]`, comparable with others."""
    parts = re.findall(r"[^.\[\]]+", path)
    return _comparable(tuple(int(p) if re.fullmatch("[0-9]{1,9}", p) else p for p in parts))


def exists(data: Any, path: Path) -> bool:
    """Whether the document has something at a path of `steps`."""
    return any(_comparable(place)[: len(path)] == path for place in _places(data, ()))


def text_of(path: Path) -> str:
    """A path in Azure's notation: properties.a.b[0].c"""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _places(data: Any, path: Path) -> Iterator[Path]:
    yield path
    whole = dict(enumerate(data)) if isinstance(data, list) else data
    for part, value in whole.items() if isinstance(whole, dict) else ():
        yield from _places(value, (*path, part))


def _comparable(path: Path) -> Path:
    folded = (fold(part) if isinstance(part, str) else part for part in path)
    return tuple(part for part in folded if part != _PROPERTIES)


# ------------------------------------------------------------------------------------ the reader


@dataclass(frozen=True)
class _Entry:
    """A key and value of a mapping, and the field that it is."""

    owner: type[BaseModel]
    name: str
    """The field's name; the key itself if there is no such field."""
    value: Any
    place: Path
    inner: bool
    """Whether the field belongs into `properties`."""


class _Reader:
    """One pass through a document."""

    def __init__(
        self,
        ignore: Mapping[str, Path],
        ignored: frozenset[Feature] = frozenset(),
        *,
        patch: bool,
    ) -> None:
        self._ignore = ignore
        self._ignored = ignored
        self._patch = patch
        self.used: set[str] = set()
        self.places: dict[Path, Path] = {}
        self.flaws: list[Flaw] = []
        self.asked: dict[Feature, list[Path]] = {}

    def resource(self, model: type[BaseModel], data: Any) -> Any:
        """The whole document."""
        return self._model(model, data, (), ())

    def ignores(self, place: Path) -> bool:
        """Whether the place is to be ignored; the path that says so counts as used."""
        path = _comparable(place)
        starts = ((text, start) for text, start in self._ignore.items() if start)
        found = {text for text, start in starts if path[: len(start)] == start}
        self.used |= found
        return bool(found)

    def without(self) -> frozenset[Feature]:
        """The features that are to be ignored: a path names one of their fields."""
        found: set[Feature] = set()
        for feature, places in self.asked.items():
            if [place for place in places if self.ignores(place)] and feature.optional:
                found.add(feature)
        return frozenset(found)

    def _model(self, model: type[BaseModel], data: Any, place: Path, to: Path) -> Any:
        self.places[to] = place
        if not isinstance(data, dict):
            return data
        if issubclass(model, SubResource):  # a reference is its id, even if GET expands it
            data = {key: value for key, value in data.items() if fold(str(key)) == "id"}
        inside = _inner(model, data)
        result: dict[str, Any] = {}
        for key, value in data.items() if inside else ():
            if fold(str(key)) == _PROPERTIES and value is not None:
                result[_PROPERTIES] = {}
                self.places[*to, _PROPERTIES] = (*place, key)
        seen: dict[tuple[bool, str], Path] = {}
        for entry in self._entries(model, inside, data, place):
            first = seen.setdefault((entry.inner, fold(entry.name)), entry.place)
            if first is not entry.place:
                self._twice(first, entry.place)
                continue
            if entry.inner:
                self.places.setdefault((*to, _PROPERTIES), place)
                self._field(entry, result.setdefault(_PROPERTIES, {}), (*to, _PROPERTIES))
            else:
                self._field(entry, result, to)
        return result

    def _entries(
        self, model: type[BaseModel], inside: type[BaseModel] | None, data: Any, place: Path
    ) -> Iterator[_Entry]:
        """The fields of a mapping; those of its `properties` in both of their places."""
        nested = False
        for key, value in data.items():
            here = (*place, key)
            if inside is None or fold(str(key)) != _PROPERTIES:
                continue
            if isinstance(value, dict):
                nested = True
                for part, one in value.items():
                    name = _known(inside, str(part)) or str(part)
                    yield _Entry(inside, name, one, (*here, part), inner=True)
        for key, value in data.items():
            if inside is None or fold(str(key)) != _PROPERTIES:
                owner, name = _owner(model, None if nested else inside, inside, str(key))
                yield _Entry(owner, name, value, (*place, key), inner=owner is inside)

    def _twice(self, first: Path, second: Path) -> None:
        one, other = first[-1], second[-1]
        same = one == other
        message = f"{other!r} is given twice" if same else f"{one!r} and {other!r} are one field"
        why = "beside `properties` and in it" if same else "ARM does not care for case"
        self.flaws.append(Flaw(second, message, f"keep one of them: {why}", at_key=True))

    def _field(self, entry: _Entry, target: dict[str, Any], to: Path) -> None:
        row = ROWS.get(entry.owner, {}).get(entry.name)
        if entry.name in entry.owner.model_fields:
            self._carried(entry, target, to)
        elif row:
            self._row(row, entry.value, entry.place)
        elif _is_display(entry.owner, entry.name) or (entry.value is None and not self._patch):
            pass
        elif not self.ignores(entry.place):  # the model refuses it
            target[entry.name] = entry.value
            self.places[(*to, entry.name)] = entry.place

    def _row(self, row: Row, value: Any, place: Path) -> None:
        self._unknown_inside(row, value, place)
        if row.feature and not _empty(value) and not _among(value, row.nothing):
            self.asked.setdefault(row.feature, []).append(place)

    def _unknown_inside(self, row: Row, value: Any, place: Path) -> None:
        if row.inside is None:
            return
        for index, one in enumerate(value if isinstance(value, list) else ()):
            self._unknown_inside(row, one, (*place, index))
        rows = {fold(name): inside for name, inside in row.inside.items()}
        for key, inner in value.items() if isinstance(value, dict) else ():
            here, known = (*place, key), rows.get(fold(str(key)))
            if known:
                self._unknown_inside(known, inner, here)
            elif inner is not None and not self.ignores(here):
                self.flaws.append(
                    Flaw(
                        here,
                        f"unknown key {key!r}",
                        "leave it out",
                        at_key=True,
                        ignore=_name(here),
                    )
                )

    def _carried(self, entry: _Entry, target: dict[str, Any], to: Path) -> None:
        at = (entry.owner, entry.name)
        value, path = entry.value, (*to, entry.name)
        self.places[path] = entry.place
        if value is None or _among(value, ABSENT.get(at, ())):
            if self._patch and value is None:
                target[entry.name] = None
            return
        kind = _bare(entry.owner.model_fields[entry.name].annotation)
        refused = VALUES.get(at, {})
        if get_origin(kind) is tuple and isinstance(value, list):
            target[entry.name] = self._list(get_args(kind)[0], value, entry.place, path, refused)
        elif not self._refused(value, entry.place, refused) and not (
            to and self._expression(value, entry.place)
        ):
            target[entry.name] = self._value(kind, value, entry.place, path)

    def _list(
        self, kind: Any, values: list[Any], place: Path, to: Path, refused: Mapping[Any, Feature]
    ) -> list[Any]:
        found: list[Any] = []
        for index, value in enumerate(values):
            here = (*place, index)
            if not self._refused(value, here, refused) and not self._expression(value, here):
                found.append(self._value(kind, value, here, (*to, len(found))))
        return found

    def _value(self, kind: Any, value: Any, place: Path, to: Path) -> Any:
        self.places[to] = place
        kind = _bare(kind)
        if isinstance(kind, type) and issubclass(kind, ArmModel):
            return self._model(kind, value, place, to)
        if get_origin(kind) is Literal and isinstance(value, str):
            return next((word for word in get_args(kind) if word.lower() == value.lower()), value)
        return value

    def _refused(self, value: Any, place: Path, refused: Mapping[Any, Feature]) -> bool:
        """Whether the value asks for a feature, and is left out."""
        feature = next((refused[one] for one in refused if _among(value, (one,))), None)
        if feature is None:
            return False
        self.asked.setdefault(feature, []).append(place)
        return feature in self._ignored

    def _expression(self, value: Any, place: Path) -> bool:
        """Whether it is an expression of a template that is to be ignored."""
        if not isinstance(value, str) or not _EXPRESSION.fullmatch(value):
            return False
        if self.ignores(place):
            return True
        remedy = f"write its value: {SHOW}"
        message = "an expression of an ARM template, which this lab does not evaluate"
        self.flaws.append(Flaw(place, message, remedy, ignore=_name(place)))
        return False


def _told(reader: _Reader, ignored: frozenset[Feature]) -> Iterator[Flaw]:
    """A flaw for each feature that is asked for."""
    for feature, places in reader.asked.items():
        if feature in ignored:
            continue
        names = ", ".join(dict.fromkeys(map(_label, places)))
        what = feature.name + (f" ({names})" if len(places) > 1 else "")
        yield Flaw(
            places[0],
            f"{what}: {NOT_YET}",
            feature.remedy,
            ignore=_name(places[0]) if feature.optional else "",
        )


def _nobody_is_left(place: Path) -> Flaw:
    return Flaw(
        place,
        "without Entra ID this gateway names no authentication type, and nobody could connect",
        "name Certificate or Radius in vpnAuthenticationTypes, if the gateway has it",
    )


def _label(place: Path) -> str:
    return str(next(part for part in reversed(place) if isinstance(part, str)))


def _name(place: Path) -> str:
    """What to write into `ignore` for a place: the field, not the entry of a list."""
    last = max((n for n, part in enumerate(place) if isinstance(part, str)), default=-1)
    kept = place[: last + 1]
    return text_of(kept[1:] if kept and fold(str(kept[0])) == _PROPERTIES else kept)


# ------------------------------------------------------------------------------ models and values


def _owner(
    model: type[BaseModel],
    unknown: type[BaseModel] | None,
    inside: type[BaseModel] | None,
    key: str,
) -> tuple[type[BaseModel], str]:
    """The model that has the field, and the field's name; `unknown` gets one that none has."""
    for owner in filter(None, (model, inside)):
        if name := _known(owner, key):
            return owner, name
        if _is_display(owner, key):
            return owner, key
    return unknown or model, key


def _inner(model: type[BaseModel], data: dict[Any, Any]) -> type[BaseModel] | None:
    """The model of `properties`, if it has one of its own; None if the data has another type."""
    if _PROPERTIES not in model.model_fields:
        return None
    kind = _bare(model.model_fields[_PROPERTIES].annotation)
    given = [value for key, value in data.items() if fold(str(key)) == _PROPERTIES]
    fits = all(value is None or isinstance(value, dict) for value in given)
    return kind if fits and isinstance(kind, type) and issubclass(kind, ArmModel) else None


@cache
def _names(model: type[BaseModel]) -> dict[str, str]:
    """The names of all fields, by their folded form."""
    return {fold(name): name for name in (*model.model_fields, *ROWS.get(model, ()))}


def _known(model: type[BaseModel], key: str) -> str | None:
    """The name of the field that the key is."""
    return _names(model).get(fold(key))


def _is_display(model: type[BaseModel], key: str) -> bool:
    """Azure PowerShell prints some fields a second time as text: SkuText beside Sku."""
    return fold(key).endswith("text") and _known(model, key[:-4]) is not None


def _bare(annotation: Any) -> Any:
    """The type without Annotated and None."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        members = [member for member in get_args(annotation) if member is not NoneType]
        return _bare(members[0]) if len(members) == 1 else annotation
    return annotation


def _empty(value: Any) -> bool:
    """Whether a value asks for nothing: null, empty, or made of nothing else."""
    if isinstance(value, dict):
        return all(map(_empty, value.values()))
    if isinstance(value, list):
        return all(map(_empty, value))
    return value is None or value == ""


def _among(value: Any, values: Sequence[Any]) -> bool:
    return any(_same(value, one) for one in values)


def _same(one: Any, other: Any) -> bool:
    """Whether a value of a document is `other`, in any form in which the models take it."""
    if isinstance(other, bool):
        return _flag(one) is other
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    if isinstance(one, dict) and isinstance(other, dict):
        left, right = (
            {fold(str(k)): v for k, v in d.items() if v is not None} for d in (one, other)
        )
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    return type(one) is type(other) and bool(one == other)


def _flag(value: Any) -> bool | None:
    """A boolean, also as text: "False"; None for anything else."""
    try:
        return _BOOLEAN.validate_python(value)
    except ValidationError:
        return None


# -------------------------------------------------------------------------- what Azure fills in


def _authentication(properties: dict[str, Any]) -> Any:
    configuration = properties.get("vpnClientConfiguration")
    return isinstance(configuration, dict) and configuration.get("vpnAuthenticationTypes")


def _fill_in(properties: dict[str, Any]) -> None:
    """What Azure is known to choose where a document says nothing.

    Documents older than vpnAuthenticationTypes (API 2020-11-01) choose RADIUS by naming its server
    (azure-docs point-to-site-how-to-radius-ps). Basic has SSTP alone (azure-docs
    ikev2-openvpn-from-sstp); for other SKUs the default tunnel type is not documented.
    """
    configuration = properties.get("vpnClientConfiguration")
    if not isinstance(configuration, dict):
        return
    servers = configuration.get("radiusServerAddress") or configuration.get("radiusServers")
    roots = configuration.get("vpnClientRootCertificates")
    if servers and not configuration.get("vpnAuthenticationTypes"):
        configuration["vpnAuthenticationTypes"] = ["Certificate"] * bool(roots) + ["Radius"]
    sku = properties.get("sku")
    if isinstance(sku, dict) and sku.get("name") == BASIC:
        configuration["vpnClientProtocols"] = configuration.get("vpnClientProtocols") or ["SSTP"]
