"""The gateway program with its real daemons and real clients, without the rest of a lab."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from gateway.common import calls
from gateway.common.vocabulary import VpnProtocol
from lab.clients.computer import Computer
from lab.errors import LabError
from lab.topology.planning.plan import CertificatePlan
from lab.vpn_client import RefusedError
from lab.waiting import wait_until
from tests.rigs.gateway_bench import PRIVATE, Bench, client, on_a_gateway
from tests.rigs.patience import PATIENCE
from tests.rigs.taken_port import said_and_taken_when_free

Case = tuple[VpnProtocol, str]
WAYS: list[Case] = [("IkeV2", "linux"), ("IkeV2", "macos"), ("OpenVPN", "linux")]
"""EAP-TLS, a plain certificate, TLS."""

INTERMEDIATE = CertificatePlan("intermediate", "Contoso Issuing", "root", "intermediate")


async def refusal(computer: Computer, over: VpnProtocol) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        await computer.dial(over)
    return caught.value


async def last_refusal(bench: Bench, count: int) -> dict[str, str]:
    """The newest of `count` records of refusals."""

    async def told() -> bool:
        return len(await bench.records("refused")) >= count

    await wait_until("the gateway's record", PATIENCE, told)
    records = await bench.records("refused")
    assert len(records) == count, records
    return records[-1]


async def pings(computer: Computer) -> bool:
    done = await computer.node.run(["ping", "-c", "2", "-i", "0.1", "-W", str(PATIENCE), PRIVATE])
    return done.code == 0


def test_put_starts_the_engines_and_get_returns_no_secrets(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        answer = await bench.gateway.put(bench.document())
        assert answer["properties"]["provisioningState"] == "Succeeded"
        assert await bench.gateway.get() == answer
        runtime = await bench.gateway.runtime()
        assert {e["protocol"]: e["state"] for e in runtime["engines"]} == {
            "IkeV2": "running",
            "OpenVPN": "running",
        }
        assert runtime["memory"] < 150_000_000
        open_to_others = "find /run/gateway -type f -perm /077 ! -name '*.pem' ! -name '*.json'"
        assert (await bench.nodes["gw"].run(["sh", "-c", open_to_others])).stdout == ""

    on_a_gateway(tmp_path, test)


@pytest.mark.parametrize("way", WAYS)
def test_a_client_comes_in_is_counted_and_leaves(tmp_path: Path, way: Case) -> None:
    async def test(bench: Bench) -> None:
        over, system = way
        await bench.gateway.put(bench.document(over))
        alice = bench.computer("pc1", "alice", system)
        connection, _ = await alice.dial(over)
        assert await pings(alice)
        (row,) = await bench.gateway.sessions()
        assert row["privateIpAddress"] == connection.address
        assert row["publicIpAddress"] == "192.0.2.2"
        assert (row["vpnUserName"], row["thumbprint"]) == ("alice", alice.thumbprint)
        assert row["ingressBytesTransferred"] >= 2 * 84
        assert row["egressBytesTransferred"] >= 2 * 84
        await alice.hang_up()
        await wait_until("no session", PATIENCE, lambda: _none(bench))
        assert [r["event"] for r in await bench.gateway.log()] == ["connected", "disconnected"]

    on_a_gateway(tmp_path, test, client("alice"))


async def _none(bench: Bench) -> bool:
    return not await bench.gateway.sessions()


@pytest.mark.parametrize("way", WAYS)
def test_each_refusal_has_its_reason_in_the_log(tmp_path: Path, way: Case) -> None:
    over, system = way
    reasons = {
        "mallory": "untrusted",
        "expired": "expired",
        "future": "not-yet-valid",
        "no-purpose": "no-client-auth",
        "bob": "revoked",
    }

    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document(over, revoked=("bob",)))
        for count, (name, reason) in enumerate(reasons.items(), 1):
            pc = bench.computer("pc1", name, system)
            await pc.restart()
            await refusal(pc, over)
            record = await last_refusal(bench, count)
            assert (record["user"], record["reason"]) == (name, reason)
            assert record["publicIpAddress"] == "192.0.2.2"
            assert await bench.gateway.sessions() == []

    on_a_gateway(
        tmp_path,
        test,
        CertificatePlan("other-root", "Other", None, "root"),
        client("mallory", issuer="other-root"),
        client("expired", days_before=9, days_after=-1),
        client("future", days_before=-2),
        client("no-purpose", client_auth=False),
        client("bob"),
    )


@pytest.mark.parametrize("way", WAYS)
def test_revoking_ends_the_session_at_once_and_for_good(tmp_path: Path, way: Case) -> None:
    async def test(bench: Bench) -> None:
        over, system = way
        await bench.gateway.put(bench.document(over))
        alice, bob = bench.computer("pc1", "alice", system), bench.computer("pc2", "bob", system)
        await alice.dial(over)
        await bob.dial(over)
        await bench.gateway.put(bench.document(over, revoked=("alice",)))
        assert [row["vpnUserName"] for row in await bench.gateway.sessions()] == ["bob"]
        await alice.ended(PATIENCE)
        assert await pings(bob)
        await refusal(alice, over)
        assert (await last_refusal(bench, 1))["reason"] == "revoked"
        await bench.gateway.put(bench.document(over))
        await alice.dial(over)

    on_a_gateway(tmp_path, test, client("alice"), client("bob"))


@pytest.mark.parametrize("way", WAYS)
def test_the_operator_disconnects(tmp_path: Path, way: Case) -> None:
    async def test(bench: Bench) -> None:
        over, system = way
        await bench.gateway.put(bench.document(over))
        alice = bench.computer("pc1", "alice", system)
        await alice.dial(over)
        (row,) = await bench.gateway.sessions()
        await bench.gateway.disconnect([row["vpnConnectionId"]])
        assert await bench.gateway.sessions() == []
        await alice.ended(PATIENCE)
        (record,) = await bench.records("disconnected")
        assert record["message"] == "disconnected by the operator"

    on_a_gateway(tmp_path, test, client("alice"))


@pytest.mark.parametrize("over", ["IkeV2", "OpenVPN"])
def test_a_dead_client_is_disconnected_too(tmp_path: Path, over: VpnProtocol) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document(over))
        alice = bench.computer("pc1", "alice")
        await alice.dial(over)
        cut = ["ip", "link", "set", "eth0", "down"]
        assert (await alice.node.run(cut)).code == 0
        async with asyncio.timeout(PATIENCE):  # charon gives up after 165 s
            await bench.gateway.put(bench.document(over, revoked=("alice",)))
        assert await bench.gateway.sessions() == []

    on_a_gateway(tmp_path, test, client("alice"))


@pytest.mark.parametrize("way", WAYS)
def test_the_first_client_of_an_unknown_intermediate(tmp_path: Path, way: Case) -> None:
    """charon cannot ask about a certificate whose issuer it never met: a revoked one must not
    slip in, a good one must not be refused."""

    async def test(bench: Bench) -> None:
        over, system = way
        await bench.gateway.put(bench.document(over, revoked=("revoked",)))
        await refusal(bench.computer("pc1", "revoked", system), over)
        assert (await last_refusal(bench, 1))["reason"] == "revoked"
        assert await bench.records("connected") == []
        _, failures = await bench.computer("pc2", "good", system).dial(over)
        assert failures == []
        await bench.computer("pc3", "other", system).dial(over)
        assert len(await bench.gateway.sessions()) == 2

    on_a_gateway(
        tmp_path,
        test,
        INTERMEDIATE,
        client("revoked", issuer="intermediate"),
        client("good", issuer="intermediate"),
        CertificatePlan("intermediate2", "Contoso Second", "root", "intermediate"),
        client("other", issuer="intermediate2"),
    )


@pytest.mark.parametrize("issuer", ["root", "intermediate"])
@pytest.mark.parametrize("way", WAYS)
def test_a_renewed_certificate_of_the_same_name_is_another_one(
    tmp_path: Path, way: Case, issuer: str
) -> None:
    async def test(bench: Bench) -> None:
        over, system = way
        await bench.gateway.put(bench.document(over, revoked=("old",)))
        await refusal(bench.computer("pc1", "old", system), over)
        new = bench.computer("pc2", "new", system)
        await new.dial(over)
        (row,) = await bench.gateway.sessions()
        assert row["thumbprint"] == new.thumbprint
        await refusal(bench.computer("pc3", "old", system), over)

    names = ("old", "new")
    on_a_gateway(
        tmp_path,
        test,
        INTERMEDIATE,
        *(client(name, subject="alice", issuer=issuer) for name in names),
    )


def test_refused_clients_do_not_shut_out_others_behind_their_nat(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2", revoked=("bob",)))
        for _ in range(6):
            await refusal(bench.computer("pc1", "bob"), "IkeV2")
        _, failures = await bench.computer("pc1", "alice").dial("IkeV2")
        assert failures == []

    on_a_gateway(tmp_path, test, client("alice"), client("bob"))


@pytest.mark.parametrize("over", ["IkeV2", "OpenVPN"])
def test_roots_come_and_go_while_others_stay_connected(tmp_path: Path, over: VpnProtocol) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document(over))
        alice, eve = bench.computer("pc1", "alice"), bench.computer("pc2", "eve")
        await alice.dial(over)
        await refusal(eve, over)
        daemon = (await bench.engine(over))["pid"]
        await bench.gateway.put(bench.document(over, roots=("root", "second")))
        await eve.dial(over)
        await bench.gateway.put(bench.document(over))
        await eve.ended(PATIENCE)
        assert [row["vpnUserName"] for row in await bench.gateway.sessions()] == ["alice"]
        await refusal(eve, over)
        assert (await last_refusal(bench, 2))["reason"] == "untrusted"
        assert await pings(alice)
        assert (await bench.engine(over))["pid"] == daemon

    on_a_gateway(
        tmp_path,
        test,
        client("alice"),
        CertificatePlan("second", "Second Root", None, "root"),
        client("eve", issuer="second"),
    )


@pytest.mark.parametrize(("over", "places"), [("IkeV2", 2), ("OpenVPN", 1)])
def test_a_used_up_pool_refuses_the_next(tmp_path: Path, over: VpnProtocol, places: int) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document(pool="172.16.9.0/29"))
        names = ("alice", "bob", "carol")
        computers = [bench.computer(f"pc{i + 1}", name) for i, name in enumerate(names)]
        for computer in computers[:places]:
            await computer.dial(over)
        await refusal(computers[places], over)
        assert (await last_refusal(bench, 1))["reason"] == "no-address"
        await computers[0].hang_up()
        await wait_until("a free place", PATIENCE, lambda: _fewer(bench, places))
        await computers[places].dial(over)

    on_a_gateway(tmp_path, test, client("alice"), client("bob"), client("carol"))


async def _fewer(bench: Bench, than: int) -> bool:
    return len(await bench.gateway.sessions()) < than


def test_an_ikev2_session_survives_rekeying_with_its_counters(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2"))
        alice = bench.computer("pc1", "alice")
        await alice.dial("IkeV2")
        assert await pings(alice)
        (before,) = await bench.gateway.sessions()
        await alice.rekey()
        assert await pings(alice)
        (after,) = await bench.gateway.sessions()
        assert after["vpnConnectionId"] == before["vpnConnectionId"]
        grown = after["ingressBytesTransferred"] - before["ingressBytesTransferred"]
        assert grown == before["ingressBytesTransferred"]
        await bench.gateway.disconnect([after["vpnConnectionId"]])
        await alice.ended(PATIENCE)

    on_a_gateway(tmp_path, test, client("alice"))


@pytest.mark.parametrize("over", ["IkeV2", "OpenVPN"])
def test_a_daemon_that_is_killed_comes_back(tmp_path: Path, over: VpnProtocol) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document())
        await bench.computer("pc1", "alice").dial(over)
        first = (await bench.engine(over))["pid"]
        os.kill(first, signal.SIGKILL)

        async def back() -> bool:
            engine = await bench.engine(over)
            return bool(engine["state"] == "running" and engine["pid"] != first)

        await wait_until("another daemon", PATIENCE, back)
        assert await bench.gateway.sessions() == []
        assert (await bench.engine(over))["restarts"] == 1
        assert "killed by SIGKILL" in (await bench.records("engine"))[0]["message"]
        (ended,) = await bench.records("disconnected")
        assert "died" in ended["message"]
        bob = bench.computer("pc2", "bob")
        await bob.dial(over)
        assert await pings(bob)

    on_a_gateway(tmp_path, test, client("alice"), client("bob"))


def test_port_443_in_use_is_said_and_taken_when_free(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        said = r"openvpn died while starting .*\n.*already in use"
        await said_and_taken_when_free(bench, "OpenVPN", said)
        await bench.computer("pc1", "alice").dial("OpenVPN")

    on_a_gateway(tmp_path, test, client("alice"))


async def _succeeded(bench: Bench) -> bool:
    return await bench.state() == "Succeeded"


@pytest.mark.parametrize("over", ["IkeV2", "OpenVPN"])
def test_a_full_disk_is_said_and_got_over(tmp_path: Path, over: VpnProtocol) -> None:
    async def test(bench: Bench) -> None:
        place = Path("/run/gateway", over.lower())

        def fill() -> None:
            place.mkdir()
            calls.mount("tmpfs", str(place), "tmpfs", 0, "size=64k")
            with (place / "ballast").open("wb", buffering=0) as file:
                while file.write(b"x" * 4096) == 4096:
                    pass

        with pytest.raises(OSError, match="No space left"):
            await bench.nodes["gw"].call(fill)
        with pytest.raises(
            LabError, match=r"cannot write /run/gateway/.*: No space left on device"
        ):
            await bench.gateway.put(bench.document(over))
        await bench.nodes["gw"].call((place / "ballast").unlink)
        await bench.gateway.put(bench.document(over))
        await bench.computer("pc1", "alice").dial(over)

    on_a_gateway(tmp_path, test, client("alice"))


def test_turning_a_protocol_off_leaves_the_other_alone(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        # the pool's parts move when a protocol goes, so a session of the second part would not
        # keep its address; IkeV2 has the first
        await bench.gateway.put(bench.document())
        alice, bob = bench.computer("pc1", "alice"), bench.computer("pc2", "bob")
        await alice.dial("IkeV2")
        await bob.dial("OpenVPN")
        await bench.gateway.put(bench.document("IkeV2"))
        await bob.ended(PATIENCE)
        assert [row["vpnUserName"] for row in await bench.gateway.sessions()] == ["alice"]
        assert await pings(alice)

    on_a_gateway(tmp_path, test, client("alice"), client("bob"))
