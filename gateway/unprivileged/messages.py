"""Messages between the gateway and its workers: one JSON object each.

A worker parses untrusted bytes, so the gateway validates everything it sends. Bytes are Base64.
msgspec validates what it decodes, not what is constructed: gateway.unprivileged.channel sends
nothing that the other side would refuse.
"""

from __future__ import annotations

from functools import cache, lru_cache
from ipaddress import IPv4Address
from typing import Annotated, Any, dataclass_transform, get_args, get_type_hints

from msgspec import Meta, Struct
from msgspec.json import Decoder, Encoder

from radius.printable import LONGEST

_SECRET = {"secret": True}


def secret(longest: int | None = None) -> Meta:
    """Marks a field that is never printed; `longest`: its maximum length."""
    return Meta(max_length=longest, extra=_SECRET)


Word = Annotated[str, Meta(max_length=LONGEST)]
"""Text that may come from a stranger; the sender sanitises it (radius.printable)."""
Secret = Annotated[bytes, secret(4096)]


@dataclass_transform(frozen_default=True)
class Part(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a message."""

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in _printed(type(self))]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({fields})"


class Message(Part, tag_field="kind", tag=str.lower):
    """One message; its kind is the name of its class in lower case."""


def decoder(messages: Any) -> Decoder[Any]:
    """The decoder of one direction's messages, which are a union."""
    return Decoder(messages, dec_hook=_decoded)


def _encoded(value: object) -> str:
    """For what JSON has no form for."""
    if isinstance(value, IPv4Address):
        return str(value)
    raise NotImplementedError(type(value).__name__)


def _decoded(kind: type, value: object) -> object:
    """The opposite of `_encoded`."""
    if kind is IPv4Address and isinstance(value, str):
        return _address(value)
    raise ValueError(f"not of type {kind.__name__}")


_address = lru_cache(1024)(IPv4Address)
"""The same few addresses come again and again, and each takes longer than the rest of a message."""
ENCODER = Encoder(enc_hook=_encoded)


@cache
def _printed(kind: type[Part]) -> tuple[str, ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(name for name in kind.__struct_fields__ if not _is_secret(hints[name]))


def _is_secret(hint: object) -> bool:
    """Whether the mark is anywhere in a field's type."""
    if isinstance(hint, Meta):
        return hint.extra == _SECRET
    return any(map(_is_secret, get_args(hint)))
