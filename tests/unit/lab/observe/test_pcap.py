"""Captures are what scapy writes and reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapReader, wrpcap

from lab.observe import pcap

PACKETS = [bytes(Ether()) + b"one", bytes(Ether()) + b"another"]


def test_scapy_reads_ours(tmp_path: Path) -> None:
    file = tmp_path / "x.pcap"
    file.write_bytes(pcap.HEADER + b"".join(pcap.record(p, 3_000_005_000) for p in PACKETS))
    with RawPcapReader(str(file)) as reader:
        told = [(data, about.sec, about.usec) for data, about in reader]
    assert told == [(packet, 3, 5) for packet in PACKETS]


def test_we_read_scapys(tmp_path: Path) -> None:
    file = tmp_path / "x.pcap"
    wrpcap(str(file), [Ether(packet) for packet in PACKETS])
    assert list(pcap.packets(file)) == PACKETS


@pytest.mark.parametrize("cut", [0, 23, 30, 45])
def test_a_part_of_a_file_is_refused(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "x.pcap"
    file.write_bytes((pcap.HEADER + pcap.record(PACKETS[0], 0))[:cut])
    with pytest.raises(ValueError, match=r"is no capture|ends within a packet"):
        list(pcap.packets(file))
