"""Validation of the answers of a user-mode Linux node's agent.

Root in the guest controls that agent. So every answer is untrusted: it must have an expected shape
within bounds, or it is an AgentError of that node.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, get_type_hints

from lab.errors import LabError

MOST_FRAME = 1 << 20
"""Bytes of a frame; our agent sends at most 64 kB and a header."""
MOST_ANSWER = 64 << 20
"""Bytes of an answer: a file, or the output of a program run to its end."""
MOST_JSON = 64 << 10
MOST_TEXT = 4096
"""Characters of an error's text or path."""
MOST_PID = 1 << 22
"""PID_MAX_LIMIT (linux/threads.h)."""
RELEASE = re.compile(r"[0-9A-Za-z.+_-]{1,64}\n")
SCALARS = (str, int, float, bool, type(None))


class AgentError(LabError):
    """The agent sent something that our agent never sends."""

    def __init__(self, node: str, what: str) -> None:
        super().__init__(
            f"{node}: invalid answer of its agent: {what}",
            "a program in the node has tampered with it: take the lab down, or restart the node",
        )


@dataclasses.dataclass(frozen=True)
class Answers:
    """Validates the answers of one node's agent."""

    node: str

    def wrong(self, what: str) -> AgentError:
        """The error to raise."""
        return AgentError(self.node, what)

    def kind(self, kind: bytes, expected: Sequence[bytes]) -> bytes:
        """The frame's kind, which must be one of `expected`."""
        if kind not in expected:
            raise self.wrong(f"a frame of kind {kind!r}")
        return kind

    def length(self, length: int) -> int:
        """Check the length of a frame."""
        if length > MOST_FRAME:
            raise self.wrong(f"a frame of {length} bytes")
        return length

    def total(self, length: int) -> None:
        """Check the length of an answer so far."""
        if length > MOST_ANSWER:
            raise self.wrong(f"an answer of more than {MOST_ANSWER} bytes")

    def release(self, data: bytes) -> str:
        """The kernel's release, which the agent sends first."""
        text = data.decode("ascii", "replace")
        if not RELEASE.fullmatch(text):
            raise self.wrong("its first message is not a kernel release")
        return text.strip()

    def started(self, payload: bytes) -> int:
        """A process id."""
        return self._number(payload, 2, MOST_PID)

    def taken(self, payload: bytes) -> int:
        """Bytes of input."""
        return self._number(payload, 0, MOST_ANSWER)

    def ended(self, payload: bytes) -> int:
        """An exit code, or minus a signal's number."""
        return self._number(payload, -64, 255)

    def failure(self, payload: bytes) -> OSError:
        """An error of the guest's system: `[errno, text, path]`."""
        match self._json(payload):
            case [int(number), str(text), None | str() as path] if (
                0 <= number < MOST_TEXT and max(len(text), len(path or "")) <= MOST_TEXT
            ):
                return OSError(number, text, path)
        raise self.wrong("not a system error")

    def raised(self, payload: bytes, function: str) -> Exception:
        """A called function's exception, `[kind, errno, text]`; a LabError unless an OSError."""
        match self._json(payload):
            case [str(kind), None | int() as number, str(text)] if (
                max(len(kind), len(text)) <= MOST_TEXT and abs(number or 0) < MOST_TEXT
            ):
                if number is not None:
                    return OSError(number, text)
                if kind in ("OSError", "TimeoutError"):
                    return {"OSError": OSError, "TimeoutError": TimeoutError}[kind](text)
                return LabError(f"{self.node}: {function}: {kind}: {text}")
        raise self.wrong("not an exception")

    def result(self, payload: bytes, function: Callable[[], Any]) -> Any:
        """The function's result, of its annotated type: a scalar or a dataclass."""
        value = self._json(payload)
        wanted = _returned(function)
        if dataclasses.is_dataclass(wanted):
            make: Any = wanted
            fields = get_type_hints(wanted)
            kinds = {name: type(part) for name, part in value.items()} if type(value) is dict else 0
            if kinds == fields:
                return make(**value)
        elif type(value) in SCALARS and wanted in (Any, type(value)):
            return value
        raise self.wrong(f"not a result of {name_of(function)[0]}")

    def _number(self, payload: bytes, least: int, most: int) -> int:
        value = self._json(payload)
        if type(value) is not int or not least <= value <= most:
            raise self.wrong(f"not a number between {least} and {most}")
        return value

    def _json(self, payload: bytes) -> Any:
        if len(payload) > MOST_JSON:
            raise self.wrong(f"JSON of {len(payload)} bytes")
        try:
            return json.loads(payload)
        except (ValueError, RecursionError):
            raise self.wrong("not JSON") from None


def name_of(function: Callable[[], object]) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """`module:name` of a module's function, and the arguments of a partial.

    TypeError for a function without such a name, which cannot be called in the guest.
    """
    bare, arguments, keywords = function, (), {}
    if isinstance(function, partial):
        bare, arguments, keywords = function.func, function.args, function.keywords
    name = getattr(bare, "__qualname__", ".")
    if "." in name or "<" in name:
        raise TypeError(f"{function!r} is not a function of a module")
    return f"{bare.__module__}:{name}", arguments, keywords


def _returned(function: Callable[[], object]) -> Any:
    """The annotated type of its result; Any without annotations."""
    bare = function.func if isinstance(function, partial) else function
    if not getattr(bare, "__annotations__", None):
        return Any
    return get_type_hints(bare).get("return", Any)
