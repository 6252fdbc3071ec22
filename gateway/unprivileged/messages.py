"""Base classes of messages between the gateway and its workers: one JSON object each.

A worker parses untrusted bytes, so the gateway validates everything it sends. Bytes are Base64.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Word = Annotated[str, Field(max_length=512)]
"""Text that may come from a stranger; the sender sanitises it (radius.printable)."""
Secret = Annotated[bytes, Field(repr=False, max_length=4096)]


class Message(BaseModel):
    """One message."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )
