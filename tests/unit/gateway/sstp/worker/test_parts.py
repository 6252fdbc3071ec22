"""The worker's small parts: channel, half-open table, rate limit, records, handshakes."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from traceback import format_exception
from typing import Any, cast, get_type_hints

import pytest

from gateway.common import rate_limit
from gateway.eap_tls.worker import messages as m
from gateway.sstp.protocol import building
from gateway.sstp.protocol.http import accepted
from gateway.sstp.worker import handshakes, messages
from gateway.sstp.worker.connection import records
from gateway.sstp.worker.messages import (
    FROM_WORKER,
    TO_WORKER,
    Admitted,
    Asked,
    Busy,
    Closed,
    Configure,
    EapGiven,
    End,
    FromWorker,
    Key,
    MsChapV2Given,
    Noted,
    PapGiven,
    Pong,
    Refused,
    ToWorker,
)
from gateway.unprivileged import channel as channels
from gateway.unprivileged.channel import LARGEST, Channel, ChannelError
from gateway.unprivileged.halfopen import HalfOpen
from gateway.unprivileged.messages import ENCODER, Part, Secret, _printed
from radius.printable import LONGEST, printable

Pair = tuple[Channel[FromWorker], Channel[ToWorker]]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield Channel(ours, FROM_WORKER, TO_WORKER), Channel(theirs, TO_WORKER, FROM_WORKER)


# ------------------------------------------------------------------------------------- channel


def test_messages_come_over_as_they_were_in_both_directions(pair: Pair) -> None:
    gateway, worker = pair
    orders = [
        Configure(
            number=1,
            local_address=IPv4Address("172.16.201.1"),
            dns=(IPv4Address("10.1.0.4"),),
            methods=("EAP",),
        ),
        Busy(busy=True),
        Admitted(
            call=7,
            address=IPv4Address("172.16.201.2"),
            keys=(Key(form="pppd", key=bytes(32)),),
            eap=b"\x03\xff",
        ),
    ]
    for order in orders:
        gateway.send(order)
    assert list(worker.receive()) == orders
    shown = EapGiven(packet=bytes(range(256)), identity="alice")
    worker.send(Asked(call=7, address="192.0.2.2", attempt=shown))
    worker.send(Closed(call=7, why="the peer hung up"))
    asked, closed = gateway.receive()
    assert isinstance(asked, Asked)
    assert asked.attempt == shown
    assert closed == Closed(call=7, why="the peer hung up")


def test_what_the_other_side_does_not_read_waits_and_is_sent_later(pair: Pair) -> None:
    gateway, worker = pair
    count = 0
    while not gateway.wants_write:
        gateway.send(Busy(busy=bool(count % 2)))
        count += 1
    received = 0
    while received < count:
        received += sum(1 for _ in worker.receive())
        gateway.flush()
    assert not gateway.wants_write


def test_a_peer_that_never_reads_is_given_up(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "MOST_WAITING", 3)

    def go_on() -> None:
        while True:
            pair[0].send(Busy(busy=True))

    with pytest.raises(ChannelError, match="does not read"):
        go_on()


def end(length: int) -> End:
    return End(call=1, why="x" * length)


def test_a_message_that_is_too_large_is_not_sent(pair: Pair) -> None:
    with pytest.raises(ChannelError, match="are allowed"):
        pair[0].send(end(LARGEST))


def test_a_message_of_full_size_comes_over(pair: Pair) -> None:
    order = end(LARGEST - len(ENCODER.encode(end(0))))
    pair[0].send(order)
    assert list(pair[1].receive()) == [order]


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b'{"kind":"shout"}',
        b'{"kind":"closed","call":1}',
        b'{"kind":"closed","call":1,"why":"x","more":1}',
        b'{"kind":"busy","busy":true}',
        b'{"kind":"closed","call":1,"why":"' + b"x" * 513 + b'"}',
        b'{"kind":"closed","call":1,"why":"' + b"x" * LARGEST + b'"}',
        b'{"kind":"closed","call":"1","why":"x"}',
        b'{"kind":"closed","call":1,"why":"\xff"}',
        b'{"kind":"closed","call":1,"why":"x"}{}',
        b'{"why":' + b"[" * 50_000 + b"]" * 50_000 + b',"kind":"closed"}',
    ],
)
def test_an_invalid_message_of_the_worker_ends_the_channel(data: bytes) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * LARGEST)
        theirs.send(data)
        with pytest.raises(ChannelError):
            list(Channel(ours, FROM_WORKER, TO_WORKER).receive())


def test_a_message_that_is_too_long_is_known_for_one() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * LARGEST)
        theirs.send(b'{"kind":"noted","message":"fine"}'.ljust(LARGEST) + b" and more")
        with pytest.raises(ChannelError, match="too long"):
            list(Channel(ours, FROM_WORKER, TO_WORKER).receive())


def test_the_end_of_the_other_side_is_reported(pair: Pair) -> None:
    gateway, worker = pair
    worker.close()
    with pytest.raises(ChannelError, match="gone"):
        list(gateway.receive())
    with pytest.raises(ChannelError, match="gone"):
        gateway.send(Busy(busy=True))


SECRET = "hunter2hunter2"
LONG = "x" * (LONGEST + 1)


def test_secrets_are_in_no_repr() -> None:
    eap = m.Response(conversation=1, packet=SECRET.encode())
    messages = (
        PapGiven(user="alice", password=SECRET),
        Asked(call=1, address="", attempt=PapGiven(user="alice", password=SECRET)),
        Key(form="pppd", key=SECRET.encode()),
        Admitted(call=1, address=IPv4Address("10.0.0.2"), text=SECRET, eap=SECRET.encode()),
        MsChapV2Given(
            user="alice",
            authenticator_challenge=b"",
            peer_challenge=b"",
            nt_response=SECRET.encode(),
            identifier=1,
        ),
        eap,
    )
    for message in messages:
        assert SECRET not in repr(message)
        assert SECRET not in str(message.__rich_repr__())
    assert repr(eap) == "Response(conversation=1, room=1310)"


def test_a_mark_of_a_secret_is_found_within_other_types() -> None:
    class Nested(Part):
        maybe: Secret | None
        many: tuple[Secret, ...]
        plain: int

    nested = Nested(maybe=SECRET.encode(), many=(SECRET.encode(),), plain=3)
    assert repr(nested) == "Nested(plain=3)"


def test_every_field_with_bytes_is_secret_unless_it_has_certificates() -> None:
    kinds = [
        kind
        for module in (m, messages)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Part)
    ]
    printed = {
        f"{kind.__name__}.{field}"
        for kind in kinds
        for field in _printed(kind)
        if "bytes" in str(get_type_hints(kind)[field])
    }
    assert printed == {"Configure.roots", "Look.chain"}


@pytest.mark.parametrize(
    "message",
    [
        Noted(message=LONG),
        Noted(message="\ud800" + SECRET),
        Closed(call=cast("Any", SECRET), why=""),
        Asked(call=1, address="", attempt=PapGiven(user="alice", password=SECRET * 100)),
        Refused(reason=cast("Any", SECRET), message="", address=""),
        Asked(call=1, address="", attempt=EapGiven(packet=b"", identity="", room=63)),
        Busy(busy=True),
    ],
)
def test_what_the_other_side_would_refuse_is_not_sent(pair: Pair, message: Any) -> None:
    gateway, worker = pair
    with pytest.raises(ValueError, match="would be refused") as refused:
        worker.send(message)
    assert SECRET not in "".join(format_exception(refused.value))
    worker.send(Pong())
    assert list(gateway.receive()) == [Pong()]


@pytest.mark.parametrize(
    "message",
    [
        {"kind": SECRET},
        {"kind": "closed", "call": 1, "why": "", SECRET: 1},
        {"kind": "closed", "call": SECRET, "why": ""},
        {"kind": "refused", "reason": SECRET, "message": "", "address": ""},
        {"kind": "counts", "traffic": [], "totals": {SECRET: SECRET}},
        {"kind": "asked", "call": 1, "address": "", "attempt": {"method": SECRET}},
        {"kind": "asked", "call": 1, "address": "", "attempt": {"method": "EAP", "packet": SECRET}},
    ],
)
def test_the_error_of_an_invalid_message_does_not_quote_it(message: dict[str, object]) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.send(json.dumps(message).encode())
        with pytest.raises(ChannelError) as caught:
            list(Channel(ours, FROM_WORKER, TO_WORKER).receive())
    assert SECRET not in "".join(format_exception(caught.value))


def test_untrusted_text_is_truncated_for_the_log() -> None:
    assert printable("a\nb\x1b[31m" + "c" * 600) == "a?b?[31m" + "c" * 504


# ------------------------------------------------------------------------------ half-open table


def table(total: int = 4, share: int = 3) -> HalfOpen[int]:
    return HalfOpen(total=total, share=share)


def test_a_source_with_too_many_loses_its_oldest() -> None:
    half_open = table()
    assert [half_open.add(n, "a") for n in (1, 2, 3)] == [None] * 3
    assert half_open.add(4, "a") == 1
    assert half_open.add(5, "a") == 2
    assert len(half_open) == 3


def test_a_full_table_evicts_from_the_source_with_most() -> None:
    half_open = table()
    for number, source in enumerate(("b", "a", "a", "a")):
        assert half_open.add(number, source) is None
    assert half_open.add(9, "c") == 1
    assert len(half_open) == 4


def test_connections_that_wait_for_a_verdict_are_evicted_last() -> None:
    half_open = table()
    for number in (1, 2, 3):
        half_open.add(number, "a")
    half_open.waits(1, "a")
    assert half_open.add(4, "a") == 2
    assert half_open.add(5, "a") == 3
    for number in (4, 5):
        half_open.waits(number, "a")
    assert half_open.add(6, "a") == 6  # the only one who does not


def test_admitted_and_closed_connections_do_not_count() -> None:
    half_open = table()
    half_open.add(1, "a")
    half_open.remove(1, "a")
    half_open.remove(1, "a")
    half_open.waits(1, "a")
    assert len(half_open) == 0
    assert half_open.crowded() is None


def test_a_flood_of_any_number_of_sources_leaves_the_newcomer_in() -> None:
    half_open: HalfOpen[int] = HalfOpen(total=100, share=20)
    for number in range(1000):
        assert half_open.add(number, f"10.0.0.{number % 7}") != number
    assert len(half_open) == 100
    assert half_open.add(5000, "192.0.2.1") != 5000


# ------------------------------------------------------------------------------- ration of lines


def test_lines_beyond_the_rate_limit_are_counted_and_summed_up() -> None:
    lines = rate_limit.RateLimit(0.0)
    told = sum(lines.allows("protocol", 0.0) for _ in range(rate_limit.BURST + 7))
    assert told == rate_limit.BURST
    assert not lines.allows("tls", 0.0)
    assert lines.left_out == 8
    assert lines.summary() == "8 more refusals: protocol 7, tls 1"
    assert lines.summary() == ""


def test_the_rate_limit_recovers_with_time() -> None:
    lines = rate_limit.RateLimit(0.0)
    while lines.allows("protocol", 0.0):
        pass
    assert lines.allows("protocol", 1.0 / rate_limit.RATE)
    assert not lines.allows("protocol", 1.0 / rate_limit.RATE)


# ------------------------------------------------------------------------------------- records


def test_each_packet_gets_a_record_of_its_own() -> None:
    answer = accepted("gw", 0.0)
    packets = [building.ECHO_REQUEST, building.data(b"\xff\x03\xc0\x21" + bytes(9))]
    assert records(answer + b"".join(packets)) == [answer, *packets]
    assert records(answer) == [answer]
    assert records(b"") == []


# ---------------------------------------------------------------------------------- handshakes


@pytest.mark.parametrize(
    ("openssl_reason", "reason"),
    [
        ("UNSUPPORTED_PROTOCOL", "tls"),
        ("NO_SHARED_CIPHER", "tls"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "tls"),
        ("TLSV1_ALERT_UNKNOWN_CA", "refused"),
        ("SSLV3_ALERT_CERTIFICATE_UNKNOWN", "refused"),
        ("HTTP_REQUEST", "protocol"),
        ("WRONG_VERSION_NUMBER", "protocol"),
        ("", "protocol"),
    ],
)
def test_a_failed_handshake_has_its_reason(openssl_reason: str, reason: str) -> None:
    word, message = handshakes.reason(openssl_reason, "as told")
    assert word == reason
    assert "as told" in message
