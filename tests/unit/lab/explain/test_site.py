"""A site's tunnel that is down: the first cause first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.explain.engines import EngineSeen
from lab.explain.follow import Dropped, Followed
from lab.explain.model import failure
from lab.explain.site import SiteSeen, failed
from lab.world import Deed
from tests.unit.lab.explain.test_selectors import ENDS

SEEN = SiteSeen("office", "gw", "NotConnected", "the two sides share no traffic selectors", "12:00",
                {"state": "NotConnected"}, ends=ENDS)  # fmt: skip
OTHER = replace(ENDS, remote=("10.9.0.0/16",))


@pytest.mark.parametrize(
    ("seen", "layer", "words"),
    [
        (replace(SEEN, gone=failure("gateway-down", "gw is off", remedy="")), "gateway-down",
         "the tunnel of office is down: gw is off"),
        (replace(SEEN, ends=replace(ENDS, peer="198.51.100.9")), "s2s", "is 198.51.100.9, and its"),
        (replace(SEEN, ends=OTHER), "s2s",
         "share no traffic selectors: the device has 192.168.50.0/24 === 10.9.0.0/16"),
        (replace(SEEN, why="the pre-shared keys differ"), "s2s", "keys of the gateway's"),
        (replace(SEEN, why="strange", ends=None), "s2s", "strange"),
    ],
)  # fmt: skip
def test_why(seen: SiteSeen, layer: str, words: str) -> None:
    found = failed(seen)
    assert found.layer == layer
    assert words in found.cause


def test_a_fault_of_this_site_is_told_and_no_other() -> None:
    own, others = (
        Deed(1.0, "fault", "s2s-cut", "fault s2s-cut", f"{place} is cut", place)
        for place in ("office", "branch")
    )
    seen = replace(SEEN, deeds=(own, others, Deed(2.0, "fault", "radius-down", "x", "no RADIUS")))
    assert [line for line in failed(seen).proof if line.startswith("at ")] == [
        "at 1970-01-01T00:00:01.000+00:00: fault s2s-cut: office is cut"
    ]


def test_selectors_stand_side_by_side() -> None:
    assert any("10.9.0.0/16" in line for line in failed(replace(SEEN, ends=OTHER)).proof)


def test_all_that_is_seen_is_said_the_first_first() -> None:
    way = Followed("udp/500 to 198.51.100.1", "198.51.100.1", ("gw", "internet", "office"),
                   dropped=Dropped("internet", "chain lost", "drop"))  # fmt: skip
    engine = EngineSeen("gw", "charon", "failed", "was stopped", {})
    wrong = replace(ENDS, peer="198.51.100.9")
    found = failed(replace(SEEN, followed=(way,), engine=engine, ends=wrong))
    assert found.layer == "gateway-down"
    parts = found.cause.split("; and besides, ")
    assert [words in part for words, part in zip(
        ("charon of gw does not run", "is dropped by", "is 198.51.100.9, and its"), parts,
        strict=True)] == [True] * 3  # fmt: skip
    assert any("was stopped" in line for line in found.proof)
    assert any("chain lost" in line for line in found.proof)
    assert failed(replace(SEEN, followed=(way,), ends=wrong)).layer == "firewall"
