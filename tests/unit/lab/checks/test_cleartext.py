"""Cleartext that scapy finds in a capture, and the outcome of `noCleartext`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import wrpcap

from lab.checks import privacy
from lab.nodes.base import Completed
from lab.observe.cleartext import examine
from lab.topology.model.steps import NoCleartext
from tests.unit.lab.checks.fakes import FakeNode, FakeWorld

MARKER = "0123456789abcdef"
MAC, NEIGHBOUR = "02:00:00:00:00:01", "02:00:00:00:00:02"
OUTER = Ether(src=MAC) / IP(src="192.168.77.10", dst="203.0.113.2")
SEALED = OUTER / UDP(sport=4500, dport=4500) / Raw(b"\x11\x22\x33\x44sealed")
PLAIN = Ether(dst=MAC) / IP(src="192.168.77.10", dst="10.1.1.4") / TCP(dport=80)
OTHERS = Ether(src=NEIGHBOUR) / IP(src="192.168.77.12", dst="10.1.1.4") / TCP(dport=80)
MARKED = OUTER / TCP(dport=80) / Raw(f"GET /{MARKER} HTTP/1.1".encode())
NESTED = OUTER / IP(src="172.16.201.1", dst="10.1.1.4") / TCP(dport=80)


@pytest.mark.parametrize(
    ("packets", "seen"),
    [([SEALED], 0), ([SEALED, PLAIN], 1), ([MARKED], 1), ([NESTED], 1), ([SEALED, OTHERS], 0)],
    ids=["sealed", "inner-address", "marker", "ip-in-ip", "a-neighbours"],
)
def test_only_what_is_in_the_clear_is_seen(tmp_path: Path, packets: list[Ether], seen: int) -> None:
    wrpcap(str(tmp_path / "x.pcap"), packets)
    found = examine(tmp_path / "x.pcap", [MARKER], ["10.1.1.4", "172.16.201.1"], MAC)
    assert found["packets"] == len([packet for packet in packets if packet is not OTHERS])
    assert len(found["seen"]) == seen  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("printed", "not_fetched", "held"),
    [
        ('{"packets": 9, "seen": []}', "", True),
        ('{"packets": 0, "seen": []}', "", False),
        ('{"packets": 9, "seen": ["10.1.1.4 > x"]}', "", False),
        ('{"packets": 9, "seen": []}', "alice got no page", False),
    ],
    ids=["sealed", "nothing-captured", "seen", "no-page"],
)
async def test_no_cleartext_holds_only_for_traffic_that_was_there_and_not_seen(
    printed: str, not_fetched: str, held: bool
) -> None:
    node = FakeNode("home")
    node.prints[sys.executable] = Completed(0, printed, "")
    outcome = await privacy._search(node, "x.pcap", ["--text", MARKER], not_fetched)  # type: ignore[arg-type]
    assert outcome.held is held


async def test_no_cleartext_fails_without_a_tunnel() -> None:
    world: Any = FakeWorld()
    step = NoCleartext(noCleartext="alice", host="app1")
    outcome = await privacy.no_cleartext(step, world)
    assert (outcome.held, outcome.detail) == (False, "alice has no tunnel")


def test_a_capture_that_is_cut_off_is_not_taken_for_a_clean_one(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    wrpcap(str(path), [SEALED, SEALED])
    whole = path.read_bytes()
    for left in (10, 30, len(whole) - 1):
        path.write_bytes(whole[:left])
        with pytest.raises(ValueError, match=re.escape(str(path))):
            examine(path, [MARKER], [], MAC)


def test_scapy_is_not_started_for_a_capture_without_cleartext(tmp_path: Path) -> None:
    wrpcap(str(tmp_path / "x.pcap"), [SEALED, OTHERS])
    search = (
        "import sys; from pathlib import Path; from lab.observe.cleartext import examine; "
        f"found = examine(Path(sys.argv[1]), [{MARKER!r}], ['10.1.1.4'], {MAC!r}); "
        "print(found, 'scapy' in sys.modules)"
    )
    argv = [sys.executable, "-c", search, str(tmp_path / "x.pcap")]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == "{'packets': 1, 'seen': []} False\n"
