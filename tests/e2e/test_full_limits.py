"""The SKUs' limits at their full size, with real daemons: seed, table of SKUs.

VpnGw3's 1000 take longer than a test should: `./p2slab bench ike-crowd --clients 1000`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.ppp.config import ClientConfig
from gateway.sstp.protocol.events import Refused
from lab.clients.profile import read_profile
from lab.waiting import wait_until
from tests.rigs import gateway_bench, sstp_radius_bench
from tests.rigs.crowd import IkeCrowd, OpenVpnCrowd, Pings, people, profile_of
from tests.rigs.forged import Forged, from_credential
from tests.rigs.gateway_bench import PRIVATE, Bench, client
from tests.rigs.patience import PATIENCE
from tests.rigs.sstp_bench import connected, off, outcome
from tests.rigs.sstp_caller import SstpCaller
from tests.rigs.sstp_radius_bench import PASSWORD, typed

pytestmark = pytest.mark.one_of("crowd")

BOTH, SSTP = 250, 128
"""VpnGw1's, of IKEv2 and OpenVPN together, and of SSTP; the limits are separate."""
OF_OPENVPN = 60
AT_ONCE = 8
POOL = "172.16.0.0/21"
FEW = 10
"""Who ping."""


def test_ikev2_and_openvpn_share_250_places(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2", "OpenVPN", pool=POOL))
        users = _people(bench, BOTH + 2)
        profile = await profile_of(bench)
        began = time.monotonic()
        vpn = OpenVpnCrowd(bench.nodes["pc2"], users[:OF_OPENVPN])
        await vpn.dial(profile)
        ike = IkeCrowd(bench.nodes["pc1"], users)
        await ike.start(profile)
        assert await ike.dial(range(OF_OPENVPN, BOTH), AT_ONCE) == {}
        report("IKEv2 and OpenVPN", BOTH, began)
        rows = await _count(bench, OpenVPN=OF_OPENVPN, IkeV2=BOTH - OF_OPENVPN)
        inside = await ike.inside()
        assert list(await ike.dial([BOTH], 1)) == [BOTH]
        late = bench.computer("pc3", "late")
        with pytest.raises(Exception, match="AUTH_FAILED"):
            await late.dial("OpenVPN")
        told = [(r["protocol"], r["reason"]) for r in await bench.records("refused")]
        assert told == [("IkeV2", "limit"), ("OpenVPN", "limit")]
        assert await ike.inside() == inside
        assert _ids(await bench.gateway.sessions()) == _ids(rows)
        await _all_answer(bench, [address for address, _ in inside.values()])
        # whose place somebody of the other protocol takes
        (gone,) = (row for row in rows if row["vpnUserName"] == f"u{OF_OPENVPN}")
        await bench.gateway.disconnect([gone["vpnConnectionId"]])
        await late.dial("OpenVPN")
        await _count(bench, OpenVPN=OF_OPENVPN + 1, IkeV2=BOTH - OF_OPENVPN - 1)
        await asyncio.gather(vpn.stop(), ike.stop())

    gateway_bench.on_a_gateway(tmp_path, test, client("late"))


def test_250_ikev2_and_128_sstp_connections_are_separate_limits(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        document = bench.document("IkeV2", "SSTP", pool=POOL)
        users = _people(bench, BOTH + 2)
        for number in range(SSTP + 1):
            bench.credentials[f"u{number}"] = users[number].credential(f"u{number}")
        await _full(bench, document, users, dials=lambda number: (f"u{number}", None))

    gateway_bench.on_a_gateway(tmp_path, test)


def test_the_same_with_radius(tmp_path: Path) -> None:
    async def test(bench: sstp_radius_bench.Bench) -> None:
        await bench.serve(users={f"u{number}": PASSWORD for number in range(BOTH + 2)})
        document = bench.radius("IkeV2", "SSTP", pool=POOL)
        users = _people(bench, BOTH + 2)

        def dials(number: int) -> tuple[str, ClientConfig]:
            return "eve", typed(f"u{number}", PASSWORD)

        await _full(bench, document, users, dials=dials, password=PASSWORD)

    sstp_radius_bench.on_a_gateway(tmp_path, test)


def test_vpngw2_has_500_places_with_radius(tmp_path: Path) -> None:
    async def test(bench: sstp_radius_bench.Bench) -> None:
        await bench.serve(users={f"u{number}": PASSWORD for number in range(501)})
        document = bench.radius("IkeV2", pool=POOL)
        await _only_ikev2(bench, document, "VpnGw2", 500, PASSWORD)

    sstp_radius_bench.on_a_gateway(tmp_path, test)


async def _only_ikev2(
    bench: Bench, document: dict[str, Any], sku: str, limit: int, password: str = ""
) -> None:
    """The limit of a larger SKU is reached, and one too many refused."""
    document["properties"]["sku"]["name"] = sku
    await bench.gateway.put(document)
    ike = await _crowd(bench, _people(bench, limit + 1), password)
    began = time.monotonic()
    assert await ike.dial(range(limit), AT_ONCE) == {}
    report("IKEv2", limit, began)
    rows = await _count(bench, IkeV2=limit)
    assert list(await ike.dial([limit], 1)) == [limit]
    (record,) = await bench.records("refused")
    assert record["reason"] == "limit"
    assert _ids(await bench.gateway.sessions()) == _ids(rows)
    await ike.stop()


async def _crowd(bench: Bench, users: Sequence[Forged], password: str) -> IkeCrowd:
    """Users with certificates, or with one password, of whom nobody has dialled yet."""
    method = "EAPMSCHAPv2" if password else "EAPTLS"
    profile = read_profile(await bench.gateway.profile({"authenticationMethod": method}))
    ike = IkeCrowd(bench.nodes["pc1"], users, password)
    await ike.start(profile)
    return ike


async def _full(
    bench: Bench,
    document: dict[str, Any],
    users: Sequence[Forged],
    *,
    dials: Callable[[int], tuple[str, ClientConfig | None]],
    password: str = "",
) -> None:
    """Both limits are reached, and one too many refused by each; then the gateway is resized.
    `dials`: by which certificate and as which user a number calls over SSTP."""
    await bench.gateway.put(document)
    ike = await _crowd(bench, users, password)
    began = time.monotonic()
    assert await ike.dial(range(BOTH), AT_ONCE) == {}
    report("IKEv2", BOTH, began)
    await _count(bench, IkeV2=BOTH)
    assert list(await ike.dial([BOTH], 1)) == [BOTH]

    async def call(number: int) -> SstpCaller:
        name, user = dials(number)
        return await connected(bench, name, "pc2", user=user)

    calls: list[SstpCaller] = []
    began = time.monotonic()
    for first in range(0, SSTP, AT_ONCE):
        calls += await asyncio.gather(*map(call, range(first, first + AT_ONCE)))
    report("SSTP", SSTP, began)
    rows = await _count(bench, IkeV2=BOTH, SSTP=SSTP)
    inside = await ike.inside()
    name, user = dials(SSTP)
    refused = await outcome(bench, name, "pc2", user=user)
    assert isinstance(refused, Refused)
    assert refused.message.startswith("HTTP 503")
    told = [(r["protocol"], r["reason"]) for r in await bench.records("refused")]
    assert told == [("IkeV2", "limit"), ("SSTP", "limit")]
    assert await ike.inside() == inside
    assert _ids(await bench.gateway.sessions()) == _ids(rows)
    assert all(await asyncio.gather(*(off(lambda c=c: c.ping(PRIVATE)) for c in calls)))  # type: ignore[misc]
    await _all_answer(bench, [address for address, _ in inside.values()])
    await off(calls[0].hang_up)
    await _count(bench, IkeV2=BOTH, SSTP=SSTP - 1)
    calls.append(await call(SSTP))
    await _resize(bench, document, ike)
    await ike.stop()


async def _resize(bench: Bench, document: dict[str, Any], ike: IkeCrowd) -> None:
    """250 are all that VpnGw1 has; VpnGw2AZ has room for more; back at VpnGw1 they all stay, and
    nobody else comes in."""

    async def to(name: str) -> None:
        document["properties"]["sku"]["name"] = name
        await bench.gateway.put(document)

    before = await ike.inside()
    await to("VpnGw2AZ")
    assert await ike.dial([BOTH], 1) == {}
    await to("VpnGw1")
    assert list(await ike.dial([BOTH + 1], 1)) == [BOTH + 1]
    last = (await bench.records("refused"))[-1]
    assert (last["reason"], last["message"]) == (
        "limit",
        f"the SKU allows {BOTH} IkeV2 and OpenVPN connections",
    )
    after = await ike.inside()
    assert after.items() > before.items()
    assert after.keys() == set(range(BOTH + 1))
    await _count(bench, IkeV2=BOTH + 1, SSTP=SSTP)
    await _all_answer(bench, [address for address, _ in after.values()])


def _people(bench: Bench, count: int) -> list[Forged]:
    return people(count, from_credential(bench.credentials["root"]))


def report(what: str, count: int, began: float) -> None:
    """How long it took, for who reads the test's output (-s)."""
    print(f"{count} {what} connections in {time.monotonic() - began:.1f} s", flush=True)


def _ids(rows: Sequence[dict[str, Any]]) -> set[str]:
    return {row["vpnConnectionId"] for row in rows}


async def _count(bench: Bench, **expected: int) -> list[dict[str, Any]]:
    """All sessions, once there are so many by protocol."""
    rows: list[dict[str, Any]] = []

    async def as_expected() -> bool:
        rows[:] = await bench.gateway.sessions()
        if (found := Counter(row["protocol"] for row in rows)) != expected:
            raise LookupError(f"{dict(found)}")
        return True

    await wait_until(f"sessions: {expected}", PATIENCE, as_expected)
    return rows


async def _all_answer(bench: Bench, addresses: Sequence[str]) -> None:
    """Some of these, the first and the last among them, reach the gateway's private address."""
    chosen = [*addresses[: FEW // 2], *addresses[-FEW // 2 :]]
    pings = await (await Pings.start(bench.nodes["pc1"], chosen, 1.0)).ended()
    assert all(sent == heard for sent, heard in pings.values()), pings
