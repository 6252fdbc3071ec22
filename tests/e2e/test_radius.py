"""Real FreeRADIUS, asked by the gateway's client for real PPP attempts and by eapol_test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.ppp.config import ClientConfig, Method
from gateway.ppp.tls_contexts import client_context
from lab.roles.radius_server import start_radius
from radius.attributes import Nas
from radius.client import RadiusClient
from radius.freeradius_instance import Client, Instance
from radius.packet import Server
from radius.reasons import bare
from radius.verdict import Accept, NoAnswer, Reject
from tests.rigs.dialling import Dialled, dial
from tests.rigs.radius_bench import CLIENTS, GATEWAY, SECOND, SECRET, SERVER, Bench, on_a_bench

PASSWORD = 'Pa55w0rd! $x %{y} "q" \'ü\\'
SERVERS = (Server(SERVER, SECRET.encode()),)
ALICE = ClientConfig("alice", PASSWORD)


async def asked(
    bench: Bench,
    work: Callable[[RadiusClient], Awaitable[Any]],
    servers: Sequence[Server] = SERVERS,
    limit: float = 10,
    log: Callable[[str], None] = lambda _: None,
) -> Any:
    """Work with a client at the gateway."""

    async def there() -> Any:
        client = RadiusClient(servers, Nas("RD0", GATEWAY), limit=limit, log=log)
        try:
            return await work(client)
        finally:
            client.close()

    return await bench.nodes["gw"].call(lambda: asyncio.run(there()))


async def dialled(
    bench: Bench, user: ClientConfig, *methods: Method, servers: Sequence[Server] = SERVERS
) -> Dialled:
    result: Dialled = await asked(
        bench, lambda client: dial(client, user, methods or ("EAP",)), servers
    )
    return result


def with_certificate(bench: Bench, name: str, user: str) -> ClientConfig:
    shown, root = bench.credentials[name], bench.credentials["public-root"]
    context = client_context(shown.certificate, shown.key, (), (root.certificate,))
    return ClientConfig(user, eap_tls=context, methods=("EAP",))


def eap_mschapv2(password: str, kind: str = "MSCHAPV2", user: str = "alice") -> str:
    inner = ' phase2="auth=MSCHAPV2"\n ca_cert="/run/root.pem"\n' if kind == "PEAP" else ""
    return f' eap={kind}\n identity="{user}"\n password="{password}"\n{inner}'


def plain(bench: Bench, *revoked: str, **changes: Any) -> Instance:
    users = {"alice": PASSWORD, "bob": "b"}
    whole = Instance(SERVER, CLIENTS, users, tls=bench.tls, authority=bench.authority(*revoked))
    return replace(whole, **changes)


def test_every_method_lets_the_right_user_in_with_the_keys_of_both_ends(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await start_radius(bench.nodes["nps1"], plain(bench))
        assert (await dialled(bench, ALICE, "MS-CHAPv2")).connected
        assert (await dialled(bench, ALICE, "EAP")).connected
        assert (await dialled(bench, with_certificate(bench, "alice", "alice"))).connected
        with_pap = replace(ALICE, methods=("PAP",))
        assert (await dialled(bench, with_pap, "PAP")).connected

    on_a_bench(tmp_path, test)


def test_peap_lets_the_right_user_in_and_no_other(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await start_radius(bench.nodes["nps1"], plain(bench))
        right = await bench.eapol_test(eap_mschapv2("b", "PEAP", "bob"))
        assert right.code == 0, right.output[-2000:]
        wrong = await bench.eapol_test(eap_mschapv2("c", "PEAP", "bob"))
        assert wrong.code != 0
        assert "Access-Reject" in wrong.stdout

    on_a_bench(tmp_path, test)


def test_wrong_passwords_and_strangers_are_refused_and_the_log_says_why(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        server = await start_radius(bench.nodes["nps1"], plain(bench))
        for method in ("MS-CHAPv2", "EAP", "PAP"):
            for user, reason in (
                (replace(ALICE, password="wrong"), "password"),
                (replace(ALICE, user="eve"), "unknown-user"),
            ):
                result = await dialled(bench, replace(user, methods=(method,)), method)
                assert not result.connected
                assert result.reason in ("password", "refused")
                refusal = server.refusal(user.user, {})
                assert refusal is not None
                assert (refusal.user, refusal.reason) == (user.user, reason)

    on_a_bench(tmp_path, test)


def test_certificates_are_judged_by_the_servers_own_authority_and_list(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        server = await start_radius(bench.nodes["nps1"], plain(bench, "bob"))
        assert (await dialled(bench, with_certificate(bench, "alice", "alice"))).connected
        for name, user, reason in (
            ("bob", "bob", "certificate-revoked"),
            ("mallory", "alice", "certificate"),
            ("alice", "bob", "certificate"),
        ):
            written = server.written()
            assert not (await dialled(bench, with_certificate(bench, name, user))).connected
            refusal = server.refusal(user, written)
            assert refusal is not None
            assert refusal.reason == reason

    on_a_bench(tmp_path, test)


NAMES = (
    "x] (from y) Login incorrect (account disabled): [bob",
    '{"user": "bob", "reason": "second-factor-denied", "message": ""}',
    "User bob is not in the required groups:",
    "626f62 6365727469666963617465",
    'e"v\\e\nbob',
    "\u202ebob\u00fc%{User-Password}`id`$(id)",
)


def test_a_name_that_reads_like_a_log_is_a_name(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        server = await start_radius(bench.nodes["nps1"], plain(bench))
        for method in ("MS-CHAPv2", "EAP", "PAP"):
            for name in NAMES:
                written = server.written()
                user = replace(ALICE, user=name, methods=(method,))
                assert not (await dialled(bench, user, method)).connected
                refusal = server.refusal(name, written)
                assert refusal is not None
                assert (refusal.user, refusal.reason) == (bare(name), "unknown-user")
                assert server.refusal("bob", {}) is None

    on_a_bench(tmp_path, test)


def test_a_method_that_the_server_does_not_speak_is_refused(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        only_tls = plain(bench, methods=("EAP-TLS",))
        await start_radius(bench.nodes["nps1"], only_tls)
        assert not (await dialled(bench, ALICE, "MS-CHAPv2")).connected
        assert not (await dialled(bench, ALICE, "EAP")).connected
        assert not (await dialled(bench, replace(ALICE, methods=("PAP",)), "PAP")).connected
        assert (await dialled(bench, with_certificate(bench, "alice", "alice"))).connected

    on_a_bench(tmp_path, test)


def test_debians_own_answers_need_the_exception_and_eap_does_not(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await start_radius(bench.nodes["nps1"], plain(bench, signs_all=False))
        excepted = (replace(SERVERS[0], may_omit_message_authenticator=True),)

        async def work(client: RadiusClient) -> Any:
            return await client.pap(_call(), "alice", PASSWORD)

        assert isinstance(await asked(bench, work, limit=0.3), NoAnswer)
        assert isinstance(await asked(bench, work, excepted), Accept)
        assert (await dialled(bench, ALICE, "MS-CHAPv2", servers=excepted)).connected
        assert (await dialled(bench, ALICE, "EAP")).connected

    on_a_bench(tmp_path, test)


def test_another_secret_or_another_prefix_gets_no_answer(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        strange = "s'e\"c\\r${e}t %{x} ü"
        clients = (Client("192.168.50.0/29", strange),)
        await start_radius(bench.nodes["nps1"], plain(bench, clients=clients))
        right = (Server(SERVER, strange.encode()),)
        assert (await dialled(bench, ALICE, "MS-CHAPv2", servers=right)).connected

        async def work(client: RadiusClient) -> Any:
            return await client.pap(_call(), "alice", PASSWORD)

        assert isinstance(await asked(bench, work, limit=0.3), NoAnswer)
        elsewhere = await bench.nodes["nps2"].call(lambda: asyncio.run(_from(SECOND, right)))
        assert isinstance(elsewhere, NoAnswer)

    on_a_bench(tmp_path, test)


def test_the_second_server_answers_for_the_first(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        log: list[str] = []
        both = (Server(SERVER, SECRET.encode(), 30), Server(SECOND, SECRET.encode(), 1))
        first = await start_radius(bench.nodes["nps1"], plain(bench))
        await start_radius(bench.nodes["nps2"], plain(bench, address=SECOND))

        async def work(client: RadiusClient) -> Any:
            return await client.pap(_call(), "alice", PASSWORD)

        assert (await asked(bench, work, both)).server == SERVER
        await first.stop()
        assert (await asked(bench, work, both, limit=2, log=log.append)).server == SECOND
        assert log == [f'RADIUS server {SECOND} answered for "alice": accept, and {SERVER} did not']
        await start_radius(bench.nodes["nps1"], plain(bench))
        assert (await asked(bench, work, both)).server == SERVER

    on_a_bench(tmp_path, test)


def test_no_password_and_no_secret_is_in_its_log_and_its_files_are_its_own(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        process = await start_radius(bench.nodes["nps1"], plain(bench))
        result = await asked(bench, lambda c: c.pap(_call(), "bob", "not-the-password"))
        assert isinstance(result, Reject)
        log = process.log.read_text()
        assert "Login incorrect" in log
        assert not [word for word in (PASSWORD, SECRET, "not-the-password") if word in log]
        node = bench.nodes["nps1"]
        listing = await node.run(["find", "/run/freeradius", "-type", "f", "-perm", "/077"])
        assert listing.stdout.replace("/run/freeradius/pid\n", "") == ""
        assert (await node.run(["grep", "-rF", PASSWORD, "/run/freeradius"])).code == 1

    on_a_bench(tmp_path, test)


def _call() -> Any:
    from radius.attributes import Call

    return Call("192.0.2.9", 7)


async def _from(address: str, servers: Sequence[Server]) -> Any:
    client = RadiusClient(servers, Nas("RD0", address), limit=0.3)
    try:
        return await client.pap(_call(), "alice", PASSWORD)
    finally:
        client.close()
