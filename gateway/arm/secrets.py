"""Secrets kept apart from their documents: finding them, and putting them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Path = tuple[str | int, ...]
Secrets = tuple[tuple[Path, SecretStr], ...]


def secrets_in(value: Any, path: Path = ()) -> Iterator[tuple[Path, SecretStr]]:
    """Every secret in a model, with its path in the model's document."""
    if isinstance(value, SecretStr):
        yield path, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name), (*path, name))
    elif isinstance(value, tuple):
        for index, part in enumerate(value):
            yield from secrets_in(part, (*path, index))


def with_secrets(document: Any, secrets: Iterable[tuple[Path, SecretStr]]) -> Any:
    """A copy of the document with the secrets in cleartext: to be sent, never to be shown."""
    result = _copy(document)
    for path, secret in secrets:
        part = result
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = secret.get_secret_value()
    return result


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(part) for key, part in value.items()}
    return [_copy(part) for part in value] if isinstance(value, list) else value
