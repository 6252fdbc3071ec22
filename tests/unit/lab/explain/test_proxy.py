"""A proxy's refusal is told by its own log and by its rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.explain.proxy import ProxySeen, judge, read_line

LINE = "1796072425.197 192.168.77.10 TCP_DENIED/{} CONNECT gw.test:443 -"


def seen(status: int, **fields: object) -> ProxySeen:
    request = read_line(LINE.format(status))
    return replace(ProxySeen("proxy", request, "rules", (), (443,), ""), **fields)  # type: ignore[arg-type]


def test_a_line_of_the_log_is_read() -> None:
    request = read_line(LINE.format(407))
    assert request
    assert (request.at, request.client) == (1796072425.197, "192.168.77.10")
    assert (request.status, request.target) == (407, "gw.test:443")
    for other in ("", "a b c", LINE.format("none")):
        assert read_line(other) is None


@pytest.mark.parametrize(
    ("proxy", "protocol", "words"),
    [
        (seen(407), "OpenVPN", "the client gives none"),
        (seen(407, user="carol"), "OpenVPN", "of user carol, are wrong"),
        (seen(407, user="carol"), "SSTP", "which SSTP cannot give"),
        (seen(403, denied=("GW.test",)), "OpenVPN", "refuses to connect to the host gw.test"),
        (seen(403), "OpenVPN", "refuses to connect to the gateway's port 443"),
        (seen(403, request=None), "SSTP", "refuses to connect to the gateway's port 443"),
        (seen(503), "OpenVPN", "could not connect to gw.test:443 (503)"),
    ],
)
def test_the_cause_is_the_proxys(proxy: ProxySeen, protocol: str, words: str) -> None:
    found = judge(proxy, protocol, "HTTP proxy returned", 0.0)
    assert found.layer == "proxy"
    assert words in found.cause
    assert any("rules" in line for line in found.proof)
    assert any("requests.log" in line for line in found.proof)
