"""The lab's own SSTP client against gateway.sstp.protocol's server, over TCP and TLS on the
loopback."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.common.phases import IllegalEvent
from gateway.dataplane.reactor import Reactor
from gateway.ppp import mschapv2
from gateway.ppp.config import ClientConfig, ServerConfig
from gateway.ppp.events import Accept, Attempt, MsChapV2Attempt, Refuse, Verdict
from gateway.sstp.protocol.binding import Bound
from gateway.sstp.protocol.events import Connected, Data, Ended, Refused
from gateway.sstp.protocol.machine import Timers
from gateway.sstp.protocol.tamper import HONEST, Tamper
from lab.clients import sstp_call
from lab.clients.sstp_call import (
    DialEvent,
    Event,
    Manner,
    NotReached,
    Phase,
    SstpCall,
    Target,
)
from lab.clients.sstp_python import tls_context
from lab.pki.authority import Credential, sign
from lab.topology.planning.plan import CertificatePlan
from tests.rigs.sstp_server import Server

ADDRESS = IPv4Address("172.16.201.2")
LIMIT = 10.0
SOON = Timers(abort=0.1, abort_answered=0.05, disconnect=0.1, disconnect_answered=0.05)
ALICE = ClientConfig("alice", "secret", methods=("MS-CHAPv2",))


def check(attempt: Attempt) -> Verdict:
    assert isinstance(attempt, MsChapV2Attempt)
    verified = mschapv2.verify(attempt, "secret")
    if verified is None:
        return Refuse("password", "wrong user name or password")
    return Accept(ADDRESS, verified.keys, verified.authenticator_response)


@dataclass
class Table:
    """A loop with a server on it, and calls to that."""

    reactor: Reactor
    server: Server
    root: Path
    told: list[DialEvent]

    def call(
        self,
        user: ClientConfig = ALICE,
        *,
        name: str = "gw.test",
        then: Callable[[SstpCall, DialEvent], None] = lambda _call, _event: None,
        tamper: Tamper = HONEST,
        context: ssl.SSLContext | None = None,
        proxy: tuple[str, int] | None = None,
    ) -> SstpCall:
        """Dial; `then` is given every event. The loop runs until the call is over."""
        target = Target(name, "127.0.0.1", context or tls_context(str(self.root)), proxy)
        call: SstpCall

        def tell(event: DialEvent) -> None:
            self.told.append(event)
            then(call, event)

        call = SstpCall(
            self.reactor, target, user, tell, done=self.reactor.stop, manner=Manner(tamper, SOON)
        )
        call.dial()
        late = self.reactor.call_at(time.monotonic() + LIMIT, lambda: pytest.fail("too late"))
        self.reactor.run()
        late.cancel()
        return call

    def first(self, kind: type[DialEvent]) -> DialEvent:
        return next(event for event in self.told if isinstance(event, kind))


@pytest.fixture(scope="module")
def credentials() -> tuple[Credential, Credential]:
    from cryptography.hazmat.primitives.asymmetric import rsa

    keys = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]
    root = sign(CertificatePlan("root", "Root", None, "root"), keys[0], None)
    plan = CertificatePlan("gw", "gw.test", "root", "server", ("gw.test",))
    return root, sign(plan, keys[1], root)


@pytest.fixture
def table(
    tmp_path: Path,
    credentials: tuple[Credential, Credential],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Table]:
    root, leaf = credentials
    pem, root_file = tmp_path / "server.pem", tmp_path / "root.pem"
    pem.write_bytes(leaf.chain_pem + leaf.key_pem)
    root_file.write_bytes(root.certificate_pem)
    links = ServerConfig(IPv4Address("172.16.201.1"), ("MS-CHAPv2",),
                         dns=(IPv4Address("10.1.1.53"),))  # fmt: skip
    with Reactor() as reactor, socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(sstp_call, "HTTPS", listener.getsockname()[1])
        server = Server(reactor, listener, pem, links, judge=check, timers=SOON)
        yield Table(reactor, server, root_file, [])
        server.close()


def test_a_call_comes_up_with_its_address_dns_and_binding(table: Table) -> None:
    servers: list[IPv4Address] = []

    def look(call: SstpCall, event: DialEvent) -> None:
        if isinstance(event, Connected):
            servers.extend(call.layers.link.dns)
            call.hang_up("enough")

    table.call(then=look)
    assert table.first(Connected) == Connected(ADDRESS)
    assert servers == [IPv4Address("10.1.1.53")]
    bound = table.first(Bound)
    assert isinstance(bound, Bound)
    assert bound.hash_protocol.name == "SHA256"
    assert table.told[-1] == Ended("enough")


def test_a_packet_goes_through_and_comes_back(table: Table) -> None:
    packet = bytes.fromhex("45000014000000004001000000000000") + bytes(4)

    def echo(call: SstpCall, event: DialEvent) -> None:
        if isinstance(event, Connected):
            call.send(packet)
        elif isinstance(event, Data):
            call.hang_up("enough")

    table.call(then=echo)
    assert table.first(Data) == Data(packet)


def test_a_wrong_password_is_refused(table: Table) -> None:
    table.call(ClientConfig("alice", "wrong", methods=("MS-CHAPv2",)))
    refused = table.first(Refused)
    assert isinstance(refused, Refused)
    assert refused.reason in ("password", "refused")
    assert not any(isinstance(event, Connected) for event in table.told)


@pytest.mark.parametrize("wrong", ["nonce", "certificate hash", "MAC"])
def test_a_wrong_binding_ends_the_call_at_both_ends(table: Table, wrong: str) -> None:
    table.call(tamper=Tamper(wrong=wrong))  # type: ignore[arg-type]
    assert isinstance(table.told[-1], Ended)
    reasons = [event.reason for event in table.server.events if isinstance(event, Refused)]
    assert reasons == ["binding"]


def test_a_server_of_another_name_or_root_is_not_trusted(table: Table) -> None:
    table.call(name="other.test")
    foreign = ssl.create_default_context()
    table.call(context=foreign)
    reasons = [event.reason for event in table.told if isinstance(event, NotReached)]
    assert reasons == ["server-untrusted", "server-untrusted"]


def test_tls_1_1_is_refused_with_that_reason(table: Table) -> None:
    table.call(context=tls_context(str(table.root), "1.1"))
    refused = table.first(NotReached)
    assert isinstance(refused, NotReached)
    assert refused.reason == "tls"


@contextmanager
def http_proxy(answer: bytes, port: int = 0) -> Iterator[tuple[str, int]]:
    """Takes one connection, answers it so, and where it is 200 passes bytes on to that port."""

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            assert client.recv(4096).startswith(b"CONNECT gw.test:")
            client.sendall(answer)
            if port:
                with socket.create_connection(("127.0.0.1", port)) as server:
                    back = threading.Thread(target=pass_on, args=(server, client))
                    back.start()
                    pass_on(client, server)
                    back.join()

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()
        thread.join(LIMIT)


def test_a_proxy_that_connects_is_gone_through(table: Table) -> None:
    def leave(call: SstpCall, event: DialEvent) -> None:
        if isinstance(event, Connected):
            call.hang_up("enough")

    with http_proxy(b"HTTP/1.1 200 OK\r\n\r\n", sstp_call.HTTPS) as proxy:
        table.call(then=leave, proxy=proxy)
        table.server.close()
    assert table.first(Connected) == Connected(ADDRESS)


def test_a_proxy_that_refuses_is_quoted(table: Table) -> None:
    with http_proxy(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as proxy:
        table.call(proxy=proxy)
    assert table.first(NotReached) == NotReached("proxy", "the proxy: HTTP/1.1 403 Forbidden")


def test_a_port_where_nobody_listens_gives_no_answer(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setattr(sstp_call, "HTTPS", port)
    table.call()
    assert table.told == [
        NotReached("no-answer", "Connection refused"),
        Ended("Connection refused"),
    ]


# -------------------------------------------------------------------------------------- phases

LEGAL = {
    Phase.NEW: "DIAL>TCP CLOSE>OVER",
    Phase.TCP: "PROXY_ASKED>PROXY TLS_BEGUN>TLS CLOSE>OVER",
    Phase.PROXY: "TLS_BEGUN>TLS CLOSE>OVER",
    Phase.TLS: "SECURED>CALL CLOSE>OVER",
    Phase.CALL: "HAND_OVER>HANDED_OVER CLOSE>OVER",
    Phase.HANDED_OVER: "",
    Phase.OVER: "",
}
STATES: dict[Phase, Any] = {
    Phase.NEW: sstp_call._New(),
    Phase.TCP: sstp_call._Tcp(),
    Phase.PROXY: sstp_call._Proxy(bytearray()),
    Phase.TLS: sstp_call._Tls(cast("Any", None)),
    Phase.CALL: sstp_call._Call(cast("Any", None)),
    Phase.HANDED_OVER: sstp_call._HandedOver(),
    Phase.OVER: sstp_call._Over(b""),
}


@pytest.fixture
def call() -> Iterator[SstpCall]:
    target = Target("gw.test", "127.0.0.1", ssl.create_default_context())
    with Reactor() as reactor:
        call = SstpCall(reactor, target, ALICE, lambda _event: None)
        yield call
        call._socket.close()


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("event", Event)
def test_a_phase_takes_its_own_events_and_any_other_is_an_error(
    call: SstpCall, phase: Phase, event: Event
) -> None:
    legal = dict(pair.split(">") for pair in LEGAL[phase].split())
    for to in Phase:
        call._state = STATES[phase]
        if legal.get(event.name) == to.name:
            call._move(event, STATES[to])
            assert call.phase is to
        else:
            with pytest.raises(IllegalEvent):
                call._move(event, STATES[to])
            assert call.phase is phase


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.CALL])
def test_only_a_call_has_layers_to_be_looked_at_or_handed_over(
    call: SstpCall, phase: Phase
) -> None:
    call._state = STATES[phase]
    with pytest.raises(IllegalEvent, match=phase.value):
        _ = call.layers
    with pytest.raises(IllegalEvent, match=phase.value):
        call.hand_over()
    assert call.connected_packet == b""


def test_who_hangs_up_before_dialling_is_over_and_may_do_so_again(call: SstpCall) -> None:
    call.hang_up("enough")
    assert call.phase is Phase.OVER
    call.hang_up("enough")
    call.turn_deaf()
    call.send(b"packet")
    with pytest.raises(IllegalEvent, match="dialling in phase over"):
        call.dial()


def test_a_call_that_was_handed_over_is_nobodys_to_hang_up_here(call: SstpCall) -> None:
    call._state = STATES[Phase.HANDED_OVER]
    with pytest.raises(IllegalEvent, match="closing in phase handed over"):
        call.hang_up("enough")
