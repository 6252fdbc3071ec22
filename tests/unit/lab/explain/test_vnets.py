"""A VNet-to-VNet tunnel that is down."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.explain.follow import Dropped, Followed, Sighting
from lab.explain.model import failure
from lab.explain.vnets import VnetsSeen, failed, judge

PATH = ("east-gw", "internet", "west-gw")
SEEN = VnetsSeen("east-west", ("east-gw says NotConnected", "west-gw says NotConnected"), up=False)
CUT = Dropped("internet", "chain lost", "drop", "fault-s2s-cut", "internet")


def way(*nodes: str, **fields: Any) -> Followed:
    seen = [Sighting(node, "wan", leaving=True, at=1.0, text="") for node in nodes]
    return Followed("udp/500 to 203.0.113.3", "203.0.113.3", PATH, 1.0, seen, **fields)


@pytest.mark.parametrize(
    ("seen", "layer", "words"),
    [
        (replace(SEEN, gone=failure("gateway-down", "the gateway west-gw is deleted", remedy="")),
         "gateway-down", "the tunnel east-west is down: the gateway west-gw is deleted"),
        (replace(SEEN, followed=(way("east-gw", "internet", dropped=CUT),)), "firewall", "s2s-cut"),
        (replace(SEEN, followed=(way("east-gw"),)), "underlay", "did not arrive at internet"),
        (replace(SEEN, why=("the log of east-gw: NO_PROPOSAL_CHOSEN",)), "ike-proposal",
         "no IKE or ESP proposal in common"),
        (replace(SEEN, why=("the log of east-gw: strange",)), "s2s", "strange"),
    ],
)  # fmt: skip
def test_why(seen: VnetsSeen, layer: str, words: str) -> None:
    found = failed(seen)
    assert found.layer == layer
    assert words in found.cause


def test_one_that_stands() -> None:
    found = judge(replace(SEEN, up=True, statuses=("both say Connected",)))
    assert found.broken is None
    assert "stands: both say Connected" in found.sentence
