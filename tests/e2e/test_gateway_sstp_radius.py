"""The gateway program with SSTP and a real FreeRADIUS: accepted and refused users."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.ppp.config import Method
from gateway.sstp.protocol.events import Connected, Ended, Refused
from gateway.sstp.protocol.tamper import Tamper
from tests.rigs.gateway_bench import PRIVATE
from tests.rigs.sstp_bench import caller, connected, off, outcome, refusals, sessions
from tests.rigs.sstp_radius_bench import (
    ALICE,
    PASSWORD,
    SECOND,
    SECRET,
    SERVER,
    Bench,
    on_a_gateway,
    typed,
)


@pytest.mark.parametrize(
    ("method", "told"),
    [("MS-CHAPv2", "MS-CHAPv2"), ("EAP", "EAP-MSCHAPv2")],
)
def test_a_password_lets_the_user_in_and_the_binding_has_the_servers_keys(
    tmp_path: Path, method: Method, told: str
) -> None:
    async def test(bench: Bench) -> None:
        await bench.serve()
        await bench.gateway.put(bench.radius())
        user = typed("alice", PASSWORD, method)
        alice = await connected(bench, "eve", user=user)
        assert await off(lambda: alice.ping(PRIVATE))
        (row,) = await bench.gateway.sessions()
        assert (row["vpnUserName"], row["thumbprint"]) == ("alice", "")
        assert row["privateIpAddress"] == str(alice.call.address) == "172.16.201.2"
        (record,) = await bench.records("connected")
        assert record["message"] == (
            f"assigned 172.16.201.2 (SHA256, specification); {told}, RADIUS server {SERVER}"
        )
        await off(alice.hang_up)
        await sessions(bench, 0)

    on_a_gateway(tmp_path, test)


def test_certificates_are_judged_by_the_radius_server_without_a_root_at_the_gateway(
    tmp_path: Path,
) -> None:
    async def test(bench: Bench) -> None:
        await bench.serve("bob")
        await bench.gateway.put(bench.radius())
        alice = await connected(bench, "alice", user=bench.certificate("alice"))
        assert await off(lambda: alice.ping(PRIVATE))
        pppds = {"user": bench.certificate("alice"), "key_form": "pppd"}
        await connected(bench, "alice", "pc2", **pppds)
        forms = [record["message"].split("; ")[0] for record in await bench.records("connected")]
        assert forms == [
            "assigned 172.16.201.2 (SHA256, specification)",
            "assigned 172.16.201.3 (SHA256, pppd)",
        ]
        for name in ("bob", "eve"):
            assert isinstance(
                await outcome(bench, name, "pc3", user=bench.certificate(name)), Refused
            )
        records = await refusals(bench, 2)
        assert [record["user"] for record in records] == ["bob", "eve"]
        assert all(r["message"].startswith(f"RADIUS server {SERVER}: ") for r in records)

    on_a_gateway(tmp_path, test)


def test_wrong_passwords_strangers_and_wrong_bindings_stay_out(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.serve()
        await bench.gateway.put(bench.radius())
        wrong = typed("alice", "wrong", "MS-CHAPv2")
        refused = await outcome(bench, "eve", user=wrong)
        assert isinstance(refused, Refused)
        assert refused.message.startswith("E=691")
        assert SERVER not in refused.message, "nobody outside needs to know"
        await outcome(bench, "eve", user=typed("nobody", PASSWORD))
        records = await refusals(bench, 2)
        assert [(r["user"], r["reason"]) for r in records] == [
            ("alice", "password"),
            ("nobody", "password"),
        ]
        assert records[0]["message"].startswith(f"RADIUS server {SERVER}: E=691")
        await outcome(bench, "eve", user=ALICE, tamper=Tamper(wrong="MAC"))
        (*_, record) = await refusals(bench, 3)
        assert (record["user"], record["reason"]) == ("alice", "binding")
        await connected(bench, "eve", user=ALICE)

    on_a_gateway(tmp_path, test)


def test_radius_and_certificates_are_switched_on_a_running_gateway(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.serve()
        await bench.gateway.put(bench.document("SSTP"))
        eve = await connected(bench, "eve")
        worker = (await bench.engine("SSTP"))["pid"]
        await bench.gateway.put(bench.radius())
        await off(lambda: eve.until(Ended))
        assert await bench.gateway.sessions() == []
        await outcome(bench, "eve")
        alice = await connected(bench, "eve", user=ALICE)
        await bench.gateway.put(bench.document("SSTP"))
        await off(lambda: alice.until(Ended))
        assert await bench.gateway.sessions() == []
        (*_, record) = await bench.records("disconnected")
        assert (record["user"], record["message"]) == (
            "alice",
            "Radius authentication is not enabled",
        )
        await outcome(bench, "eve", user=ALICE)
        await connected(bench, "eve")
        assert (await bench.engine("SSTP"))["pid"] == worker

    on_a_gateway(tmp_path, test)


def test_servers_and_secret_are_changed_while_users_are_connected(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.serve()
        await bench.serve(address=SECOND)
        await bench.gateway.put(bench.radius())
        alice = await connected(bench, "eve", user=ALICE)
        await bench.gateway.put(bench.radius(radiusServerAddress=SECOND))
        await connected(bench, "eve", "pc2", user=typed("bob", "b"))
        (*_, record) = await bench.records("connected")
        assert record["message"].endswith(f"RADIUS server {SECOND}")
        assert record["radiusServer"] == SECOND
        assert await off(lambda: alice.ping(PRIVATE))
        wrong = bench.radius(radiusServerSecret="wrong")
        await bench.gateway.put(wrong)
        waiting = asyncio.create_task(outcome(bench, "eve", "pc3", user=ALICE))
        done, _ = await asyncio.wait({waiting}, timeout=1.0)
        assert not done, "nobody answers"
        assert await off(lambda: alice.ping(PRIVATE)), "others go on meanwhile"
        await bench.gateway.put(bench.radius())
        async with asyncio.timeout(5):
            assert isinstance(await waiting, Refused)
        (refusal,) = await refusals(bench, 1)
        assert refusal["reason"] == "radius-no-answer"
        assert "the servers to ask were changed meanwhile" in refusal["message"]
        await connected(bench, "eve", "pc3", user=ALICE)
        told = (tmp_path / "gw").glob("*.log")
        assert not [log for log in told if SECRET in log.read_text(errors="replace")]

    on_a_gateway(tmp_path, test)


def test_the_second_server_answers_for_a_dead_one_and_the_log_says_which(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.serve(address=SECOND)
        servers = [
            {
                "radiusServerAddress": address,
                "radiusServerSecret": SECRET,
                "radiusServerScore": score,
            }
            for address, score in ((SERVER, 30), (SECOND, 1))
        ]
        await bench.gateway.put(bench.radius(radiusServers=servers))
        alice = await caller(bench, "eve", user=ALICE)
        await off(lambda: alice.until(Connected, limit=20.0))
        (record,) = await bench.records("connected")
        assert record["message"].endswith(f"RADIUS server {SECOND}")
        assert record["radiusServer"] == SECOND

    on_a_gateway(tmp_path, test)
