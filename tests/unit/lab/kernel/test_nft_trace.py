"""Traces of nftables: drops by rules and by policies, and the text of what dropped."""

from __future__ import annotations

import pytest

from lab.kernel import nft
from lab.kernel.encoding import attribute, message, text
from lab.kernel.nft_trace import Drop, drops, quoted

LISTED = """table inet p2slab {
	chain let_out { # handle 2
		type filter hook forward priority filter; policy drop;
		iifname "lan" udp dport 53 accept # handle 6
		iifname "lan" ip daddr 192.0.2.1 drop # handle 7
	}
}
"""


def trace(kind: int, *parts: bytes) -> bytes:
    names = text(1, "p2slab") + text(2, "let_out")
    body = bytes(4) + names + attribute(4, kind.to_bytes(4)) + b"".join(parts)
    return message(10 << 8 | 17, 0, body)


def verdict(code: int) -> bytes:
    return attribute(5, attribute(1, code.to_bytes(4)))


def test_rules_and_policies_drop() -> None:
    by_rule = trace(3, attribute(3, (7).to_bytes(8)), verdict(0))
    by_policy = trace(1, attribute(16, bytes(4)))
    accepted = trace(3, attribute(3, (6).to_bytes(8)), verdict(1))
    continued = trace(3, attribute(3, (6).to_bytes(8)), verdict(0xFFFFFFFF))
    allowed = trace(1, attribute(16, (1).to_bytes(4)))
    found = list(drops(by_rule + accepted + continued + allowed + by_policy))
    assert found == [Drop("p2slab", "let_out", 7), Drop("p2slab", "let_out", 0)]


def test_a_dropped_packet_is_that_whose_headers_came_before() -> None:
    first, second = attribute(6, b"one."), attribute(6, b"two.")
    begun = trace(3, first, attribute(8, b"IP"), attribute(9, b"UDP"), verdict(0xFFFFFFFF))
    other = trace(3, second, attribute(8, b"ip"), verdict(0xFFFFFFFF))
    dropped = trace(1, first, attribute(16, bytes(4)))
    known: dict[bytes, bytes] = {}
    assert not list(drops(begun + other, known))
    assert [drop.packet for drop in drops(dropped, known)] == [b"IPUDP"]


def test_other_messages_are_none() -> None:
    assert not list(drops(message(10 << 8 | 6, 0, bytes(4) + text(1, "p2slab"))))


def test_the_rule_or_the_policy_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run(commands: str, *, handles: bool) -> str:
        asked.append(commands)
        return LISTED if handles else ""

    monkeypatch.setattr(nft, "run", run)
    assert quoted(Drop("p2slab", "let_out", 7)) == 'iifname "lan" ip daddr 192.0.2.1 drop'
    policy = quoted(Drop("p2slab", "let_out", 0))
    assert policy.startswith("policy drop after: ")
    assert 'iifname "lan" udp dport 53 accept' in policy
    assert "handle" not in policy
    assert asked == ["list chain inet p2slab let_out"] * 2
