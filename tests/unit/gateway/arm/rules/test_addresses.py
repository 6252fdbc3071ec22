"""Address pools and custom routes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.gateway.arm.rules.judging import judge, pool


@pytest.mark.parametrize(
    "prefix",
    [
        "172.16.0.0/30", "172.16.0.1/24", "fd00::/64", "0.0.0.0/0", "0.0.0.0/24", "127.1.0.0/16",
        "168.63.0.0/16", "169.254.7.0/24", "240.0.0.0/8", "255.255.255.0/24",
    ],
)  # fmt: skip
def test_pools_that_are_refused(prefix: str, document: Any) -> None:
    assert judge(document(vpnClientAddressPool=pool(prefix)))


def test_a_custom_route_is_ipv4(document: Any) -> None:
    (violation,) = judge(document({"customRoutes": pool("10.7.0.0/16", "2001:db8::/32")}))
    assert violation.path == ("customRoutes", "addressPrefixes", 1)
    assert "an IPv6 route" in violation.message


@pytest.mark.parametrize("prefix", ["172.16.0.0/29", "10.2.0.0/16", "201.169.0.0/16"])
def test_pools_that_are_accepted(prefix: str, document: Any) -> None:
    assert judge(document(vpnClientAddressPool=pool(prefix))) == []


def test_prefixes_of_the_pool_may_not_overlap_each_other_or_a_site(document: Any) -> None:
    found = judge(
        document(vpnClientAddressPool=pool("172.16.0.0/16", "172.16.5.0/24", "192.168.50.0/29"))
    )
    assert ["the pool's own" in v.message or "the site's" in v.message for v in found] == [True] * 2
