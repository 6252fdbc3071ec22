"""Which of openvpn's half-open clients are closed."""

from __future__ import annotations

from gateway.openvpn import half_open as crowd

HEADER = "HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tConnected Since (time_t)\tClient ID"


def line(cid: int, address: str = "192.0.2.9", since: int = 0, name: str = "UNDEF") -> str:
    return f"CLIENT_LIST\t{name}\t{address}:{10000 + cid}\t{since}\t{cid}"


def test_known_clients_are_not_half_open_whatever_their_name() -> None:
    lines = ["TITLE\tOpenVPN", HEADER, line(1, name="UNDEF"), line(2), line(3), "END"]
    assert [row["Client ID"] for row in crowd.half_open(crowd.rows(lines), {"1"})] == ["2", "3"]


def test_a_source_loses_its_oldest_beyond_its_share() -> None:
    many = [line(n, since=1000 - n) for n in range(crowd.SHARE + 3)]
    others = [line(5000 + n, "192.0.2.7") for n in range(5)]
    waiting = crowd.half_open(crowd.rows([HEADER, *others, *many]), set())
    oldest = [("192.0.2.9", str(10000 + n)) for n in range(crowd.SHARE + 2, crowd.SHARE - 1, -1)]
    assert crowd.surplus(waiting) == oldest


def test_the_total_is_bounded() -> None:
    sources = [f"192.0.2.{n}" for n in range(1, 8)]
    each = crowd.SHARE
    lines = [line(1000 * n + i, a, since=i) for n, a in enumerate(sources) for i in range(each)]
    out = crowd.surplus(crowd.half_open(crowd.rows([HEADER, *lines]), set()))
    assert len(out) == len(sources) * each - crowd.MOST_HALF_OPEN
    assert len({address for address, _ in out}) == len(sources)
