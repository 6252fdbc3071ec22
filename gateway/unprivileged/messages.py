"""What all messages between the gateway and its workers have in common: one JSON object each.

A worker reads strangers' bytes, so the gateway believes no more of it than these forms say. Bytes
are Base64.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Word = Annotated[str, Field(max_length=512)]
"""Text that may have come from a stranger; whoever sends it makes it fit (radius.printable)."""
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
