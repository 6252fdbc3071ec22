"""What all parts of ARM documents have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ArmModel(BaseModel):
    """Part of an ARM document: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
