"""The worker on a real channel, with the test as the gateway and a client over TLS."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.common.vocabulary import Reason
from gateway.dataplane.counters import PlaneCounters
from gateway.dataplane.reactor import Reactor
from gateway.ppp.config import ClientConfig
from gateway.ppp.link import PppLink
from gateway.sstp.protocol.client_call import ClientCall, ClientCallConfig
from gateway.sstp.protocol.packets import HashProtocol
from gateway.sstp.worker.messages import (
    FROM_WORKER,
    TO_WORKER,
    Asked,
    Closed,
    Configure,
    Configured,
    Denied,
    EapGiven,
    Method,
    Noted,
    PapGiven,
    Ping,
    Pong,
    Refused,
)
from gateway.sstp.worker.program import first_certificate
from gateway.sstp.worker.worker import Worker
from gateway.unprivileged.channel import Channel
from radius.printable import LONGEST

LIMIT = 10.0
LONG = "a" * 1200


class Gateway:
    """The other end of the channel, and a client's dial."""

    def __init__(self, hashes: Mapping[HashProtocol, bytes]) -> None:
        self.hashes = hashes
        self.end, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel = Channel(self.end, FROM_WORKER, TO_WORKER)
        self.worker_end = Channel(theirs, TO_WORKER, FROM_WORKER)
        self.end.settimeout(LIMIT)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)

    def hears(self) -> Any:
        return FROM_WORKER.decode(self.end.recv(200_000))

    def configure(self, method: Method) -> None:
        own = IPv4Address("172.16.9.1")
        self.channel.send(Configure(number=1, local_address=own, dns=(), methods=(method,)))
        assert self.hears() == Configured(number=1, kept="nothing")

    def dial(self, user: ClientConfig) -> threading.Thread:
        thread = threading.Thread(target=self._dial, args=(user,))
        thread.start()
        return thread

    def _dial(self, user: ClientConfig) -> None:
        config = ClientCallConfig(
            "gw", self.hashes, lambda now: PppLink(user, now=now, entropy=os.urandom)
        )
        call = ClientCall(config, now=time.monotonic(), entropy=os.urandom)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        where = self.listener.getsockname()
        with (
            suppress(OSError),
            socket.create_connection(where, LIMIT) as plain,
            context.wrap_socket(plain) as stream,
        ):
            while not call.closed:
                stream.sendall(call.outgoing())
                if not (data := stream.recv(65536)):
                    return
                call.receive(data, time.monotonic())


@pytest.fixture
def gateway(
    shown: tuple[ssl.SSLContext, Mapping[HashProtocol, bytes]],
) -> Iterator[tuple[Gateway, Worker]]:
    tls, hashes = shown
    gateway = Gateway(hashes)
    plane: Any = SimpleNamespace(counters=PlaneCounters())
    with Reactor() as reactor, gateway.listener:
        worker = Worker(
            reactor=reactor,
            channel=gateway.worker_end,
            listener=gateway.listener,
            plane=plane,
            tls=tls,
            hashes=hashes,
            kept="nothing",
        )
        thread = threading.Thread(target=worker.run)
        thread.start()
        yield gateway, worker
        gateway.end.close()
        thread.join(LIMIT)
        gateway.worker_end.close()
        assert not thread.is_alive()


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("method", ["MS-CHAPv2", "PAP", "EAP"])
def test_a_stranger_with_a_very_long_name_is_asked_about_and_refused_as_others_are(
    gateway: tuple[Gateway, Worker], method: Method, named: bool
) -> None:
    """`named`: the gateway knows the name, as long, from a certificate."""
    us, _ = gateway
    us.configure(method)
    client = us.dial(ClientConfig(LONG, LONG, methods=(method,)))
    asked = us.hears()
    assert isinstance(asked, Asked)
    match asked.attempt:
        case EapGiven(identity=user):
            assert user == LONG[:LONGEST]
        case PapGiven(user=user, password=password):
            assert (user, password) == (LONG[:255], LONG[:255])
        case given:
            assert given.user == LONG[:LONGEST]
    name = LONG if named else ""
    us.channel.send(Denied(call=asked.call, reason="password", message=LONG, text="", user=name))
    refused, closed = us.hears(), us.hears()
    assert isinstance(refused, Refused)
    assert refused.message == LONG[:LONGEST]
    assert refused.user == (LONG[:255] if method == "PAP" and not named else LONG[:LONGEST])
    assert isinstance(closed, Closed)
    us.channel.send(Ping())
    assert us.hears() == Pong()
    client.join(LIMIT)


def test_a_summary_of_refusals_for_every_reason_is_not_too_long(
    gateway: tuple[Gateway, Worker],
) -> None:
    us, worker = gateway
    limit = worker._limits[False]
    reasons = get_args(Reason)
    for number in range(100 * len(reasons)):
        limit.allows(reasons[number % len(reasons)], 0.0)
    worker._sum_up(limit)
    noted = us.hears()
    assert isinstance(noted, Noted)
    assert len(noted.message) == LONGEST


def test_the_first_certificate_of_a_file_is_the_server_s(pki: Any) -> None:
    own, issuer = (pki[name].public_bytes(Encoding.PEM).decode() for name in ("alice", "root"))
    der = pki["alice"].public_bytes(Encoding.DER)
    assert first_certificate(f"subject=CN = alice\n{own}{issuer}") == der
    with pytest.raises(ValueError, match="substring not found"):
        first_certificate("no certificate")
