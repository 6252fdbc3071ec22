"""Traces of nftables: drops by rules and by policies, and the text of what dropped."""

from __future__ import annotations

import pytest

from lab.kernel import nft
from lab.kernel.encoding import attribute, message, text
from lab.kernel.nft_trace import Drop, Tracer, drops, quoted

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
    found = list(drops(by_rule + accepted + continued + allowed + by_policy, {}))
    assert found == [Drop("p2slab", "let_out", 7), Drop("p2slab", "let_out", 0)]


def test_other_messages_are_none() -> None:
    assert not list(drops(message(10 << 8 | 6, 0, bytes(4) + text(1, "p2slab")), {}))


def test_a_drop_has_the_header_that_an_earlier_message_of_its_trace_had() -> None:
    """Those who trace in one namespace hear of each other's packets."""
    known: dict[bytes, bytes] = {}
    headers = [trace(3, verdict(1), attribute(6, number), attribute(9, header))
               for number, header in ((b"aaaa", b"first"), (b"bbbb", b"second"))]  # fmt: skip
    assert not list(drops(b"".join(headers), known))
    dropped = trace(1, attribute(16, bytes(4)), attribute(6, b"aaaa"))
    assert list(drops(dropped, known)) == [Drop("p2slab", "let_out", 0, b"first")]


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


class Line:
    """A netlink socket that hears nothing."""

    def __init__(self, *_: int) -> None:
        """It is open."""

    def setblocking(self, _: bool) -> None:
        """It does not block."""

    def bind(self, _: tuple[int, int]) -> None:
        """It has a port."""

    def setsockopt(self, *_: int) -> None:
        """It is in the group."""

    def recv(self, _: int) -> bytes:
        raise BlockingIOError

    def close(self) -> None:
        """It is closed."""


def test_two_traces_in_one_namespace_leave_each_other_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there: dict[str, str] = {}

    def run(commands: str) -> None:
        for command in commands.splitlines():
            verb, kind, *rest = command.split()
            if (verb, kind) == ("delete", "table"):
                del there[rest[1]]
            else:
                there[rest[1]] = there.get(rest[1], "") + command

    monkeypatch.setattr(nft, "run", run)
    monkeypatch.setattr("lab.kernel.nft_trace.socket.socket", Line)
    first, second = Tracer("udp dport 500"), Tracer("tcp dport 443")
    assert not first.close()
    [own] = there.values()
    assert "tcp dport 443 meta nftrace set 1" in own
    assert not second.close()
    assert not there
