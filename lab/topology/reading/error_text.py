"""Pydantic's errors as plain text, with the path of the value in error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from lab.choices import did_you_mean, listing
from lab.topology.model.steps import VERBS, verb_of
from lab.topology.model.topology import Topology
from lab.topology.reading.docstrings import description
from lab.topology.reading.problems import Path, Problem

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

_STEPS = ("expect", "faults")
_KEY = "[key]"
"""What pydantic appends to the location of a bad key."""


def problem_of(error: ErrorDetails, data: Any) -> Problem:
    """One error of `Topology.model_validate(data)`. That of a step names its key: who gives steps
    on the command line sees no line and column."""
    problem = _problem_of(error, data)
    section, *inside = problem.path or ("",)
    keys = [part for part in inside if isinstance(part, str)]
    if section not in _STEPS or not keys or problem.at_key:
        return problem
    return replace(problem, message=f"`{'.'.join(keys)}`: {problem.message}")


def _problem_of(error: ErrorDetails, data: Any) -> Problem:
    location = without_tags(error["loc"])
    at_key = bool(location) and location[-1] == _KEY
    if at_key:
        location = location[:-1]
    if error["type"] == "missing":
        return _missing(location, data)
    path = existing(location, data)
    if error["type"] == "extra_forbidden":
        return _unknown_key(path, data)
    if error["type"].startswith("union_tag"):
        return _unknown_step(path, error["input"])
    if error["type"] == "value_error":  # our own text, remedy included
        return Problem(path, str(error["ctx"]["error"]), at_key=at_key)
    message, remedy = _TEXTS.get(error["type"], _unchanged)(error)
    remedy = remedy or _description(path, data)
    if not remedy and error["type"] in _MAPPINGS:
        remedy = _keys(_annotation(path, data))
    return Problem(path, message, remedy, at_key)


def existing(location: Path, data: Any) -> Path:
    """The part of the location that is in the data."""
    path: Path = ()
    for part in location:
        inside = part in data if isinstance(data, dict) else (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )  # fmt: skip
        if not inside:
            break
        path, data = (*path, part), data[part]
    return path


def choices(location: Path, data: Any) -> tuple[Any, ...]:
    """The words of which a value must be one, or the mappings, if these need nothing but such a
    word; none, if it may be something else."""
    annotation = _annotation(location, data)
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    fields = _fields(annotation)
    needed = [key for key, field in fields.items() if field.is_required()]
    if len(needed) != 1:
        return ()
    words = _bare(fields[needed[0]].annotation)
    known = get_args(words) if get_origin(words) is Literal else ()
    return tuple({needed[0]: word} for word in known)


def without_tags(location: Path) -> Path:
    """A location without the tag that pydantic inserts: ("expect", 3, "connects", ...)."""
    return location[:2] + location[3:] if location[:1] == ("expect",) else location


def _missing(location: Path, data: Any) -> Problem:
    return Problem(
        existing(location[:-1], data),
        f"{location[-1]!r} is missing" + (f" in {_named(location[:-1])}" if location[1:] else ""),
        _description(location, data) or _words(_annotation(location, data)),
    )


def _unknown_key(path: Path, data: Any) -> Problem:
    annotation = _annotation(path[:-1], data)
    known = _fields(annotation)
    return Problem(
        path, f"unknown key {path[-1]!r}", did_you_mean(str(path[-1]), known), at_key=True
    )


def _unknown_step(path: Path, value: Any) -> Problem:
    if not isinstance(value, dict) or not value:
        return Problem(path, f"a step must be a mapping, not {_kind(value)}",
                       "write it like {connects: alice, over: IkeV2}")  # fmt: skip
    word = str(next(iter(value)))
    return Problem((*path, word), f"unknown step {word!r}", did_you_mean(word, VERBS), at_key=True)


# ---------------------------------------------------------------------------- texts of errors

_Text = tuple[str, str]
"""Message and remedy."""


def _must_be(what: str, remedy: str = "") -> Callable[[ErrorDetails], _Text]:
    return lambda error: (f"must be {what}, not {_kind(error['input'])}", remedy)


def _text(error: ErrorDetails) -> _Text:
    number = isinstance(error["input"], int | float)
    return f"must be text, not {_kind(error['input'])}", "put it in quotes" if number else ""


def _literal(error: ErrorDetails) -> _Text:
    known = [
        word.strip("' ") for word in _context(error)["expected"].replace(" or ", ", ").split(",")
    ]
    value = error["input"]
    if not isinstance(value, str):
        return f"must be one of {', '.join(known)}, not {_kind(value)}", ""
    return f"{value!r} is not known here", did_you_mean(value, known)


def _unchanged(error: ErrorDetails) -> _Text:
    return error["msg"][0].lower() + error["msg"][1:], ""


def _limit(text: str, name: str) -> Callable[[ErrorDetails], _Text]:
    return lambda error: (f"{text} {_context(error)[name]}", "")


def _context(error: ErrorDetails) -> Mapping[str, Any]:
    return error.get("ctx", {})


_MAPPING = _must_be("a mapping (key: value)")
_LIST = _must_be("a list", "write it like [a, b]")
_WHOLE = _must_be("a whole number")
_NUMBER = _must_be("a number")
_BOOLEAN = _must_be("true or false")

_TEXTS: dict[str, Callable[[ErrorDetails], _Text]] = {
    "string_type": _text,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "literal_error": _literal,
    "greater_than": _limit("must be greater than", "gt"),
    "greater_than_equal": _limit("must be at least", "ge"),
    "less_than": _limit("must be less than", "lt"),
    "less_than_equal": _limit("must be at most", "le"),
    "string_too_short": lambda _: ("must not be empty", ""),
    "too_short": _limit("too few entries: at least", "min_length"),
    "too_long": _limit("too many entries: at most", "max_length"),
    "unsupported": lambda error: (f"{error['loc'][-1]!r} is {error['msg']}", "leave it out"),
}


_MAPPINGS = ("dict_type", "model_type", "model_attributes_type")


def _words(annotation: Any) -> str:
    """The words that a value may be."""
    words = get_args(annotation) if get_origin(annotation) is Literal else ()
    return (
        f"give {listing([str(word) for word in words])}".replace(" and ", " or ") if words else ""
    )


def _keys(annotation: Any) -> str:
    """How a mapping is written, if it has keys of its own."""
    keys = list(_fields(annotation))
    return f"write it like {{{keys[0]}: ...}}; its keys are {listing(keys)}" if keys else ""


def _kind(value: Any) -> str:
    """The type of a value in plain text, without the value: it may be a secret."""
    kinds: dict[type, str] = {
        NoneType: "empty",
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a mapping",
    }
    return kinds.get(type(value), type(value).__name__)


def _named(path: Path) -> str:
    return ".".join(map(str, path))


# --------------------------------------------------------------------- the model at a path


def _description(path: Path, data: Any) -> str:
    """The first paragraph of the field's description, for the remedy."""
    paragraph = _field_docstring(path, data).split("\n\n")[0]
    return " ".join(paragraph.split()).rstrip(".")


def _field_docstring(path: Path, data: Any) -> str:
    """The description of the nearest field at or above the path."""
    for length in range(len(path), 0, -1):
        model, last = _annotation(path[: length - 1], data), path[length - 1]
        if isinstance(last, str) and last in _fields(model):
            return description(model, _names(model)[last])
    return ""


def _annotation(path: Path, data: Any) -> Any:
    """The model's type at a path; None if the model has no such path."""
    annotation: Any = Topology
    for part in path:
        data = _child(data, part)
        annotation = _inner(annotation, part, data)
    return annotation


def _child(data: Any, part: str | int) -> Any:
    if isinstance(data, list) and isinstance(part, int) and part < len(data):
        return data[part]
    return data.get(part) if isinstance(data, dict) else None


def _inner(annotation: Any, part: str | int, data: Any) -> Any:
    annotation = _bare(annotation)
    if isinstance(part, str) and part in (fields := _fields(annotation)):
        annotation = fields[part].annotation
    elif get_origin(annotation) in (dict, tuple, list):
        index = 1 if get_origin(annotation) is dict else 0
        annotation = get_args(annotation)[index]
    else:
        return None
    verb = verb_of(data) if isinstance(data, dict) and part != "properties" else None
    return VERBS[verb] if verb and _is_step(annotation) else _bare(annotation)


def _is_step(annotation: Any) -> bool:
    return any(_bare(member) in VERBS.values() for member in _members(annotation))


def _bare(annotation: Any) -> Any:
    """The type without Annotated, and without None if only one other type remains."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    members = [member for member in _members(annotation) if member is not NoneType]
    return _bare(members[0]) if len(members) == 1 and members != [annotation] else annotation


def _members(annotation: Any) -> Iterator[Any]:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    yield from (
        get_args(annotation) if get_origin(annotation) in (Union, UnionType) else [annotation]
    )


def _fields(annotation: Any) -> dict[str, FieldInfo]:
    """A model's fields by their names in topology files."""
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return {}
    return {key: annotation.model_fields[name] for key, name in _names(annotation).items()}


def _names(model: type[BaseModel]) -> dict[str, str]:
    """Names in topology files to names in the model."""
    return {field.alias or name: name for name, field in model.model_fields.items()}
