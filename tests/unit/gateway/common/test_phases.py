"""Tables of transitions."""

from __future__ import annotations

from enum import Enum

import pytest

from gateway.common.phases import IllegalEvent, after


class Door(Enum):
    OPEN = "open"
    SHUT = "shut"


class Push(Enum):
    OPEN = "opening"
    SHUT = "shutting"


TABLE = {(Door.OPEN, Push.SHUT): Door.SHUT, (Door.SHUT, Push.OPEN): Door.OPEN}


def test_a_legal_event_leads_to_the_tables_phase() -> None:
    assert after(TABLE, Door.OPEN, Push.SHUT) is Door.SHUT
    assert after(TABLE, Door.SHUT, Push.OPEN) is Door.OPEN


def test_an_illegal_event_is_named_with_its_phase() -> None:
    with pytest.raises(IllegalEvent, match=r"^opening in phase open$"):
        after(TABLE, Door.OPEN, Push.OPEN)
