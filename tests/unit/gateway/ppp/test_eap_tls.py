"""EAP-TLS terminated at the server: fragments, refusals, alerts; no way around the certificate."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from gateway.policy.trust import Roots, thumbprint
from gateway.ppp.events import (
    Authenticated,
    AuthenticationFailed,
    EapAttempt,
    LinkDown,
    NetworkUp,
    Refuse,
)
from gateway.ppp.frames import EAP, IPCP
from gateway.ppp.tls_messages import LONGEST_MESSAGE, START, Fragments, Handshake
from tests.unit.gateway.ppp.by_hand import MAGIC, ByHand, Said
from tests.unit.gateway.ppp.certificates import client_tls, credential, server_tls
from tests.unit.gateway.ppp.local_eap_tls import LocalEapTls, let_in
from tests.unit.gateway.ppp.pair import Pair, client_config, server_config

REQUEST, RESPONSE, SUCCESS, FAILURE = range(1, 5)
TLS, NAK = 13, 3
MORE, LENGTH = 0x40, 0x80


def links(client: SSL.Context, judge: LocalEapTls | None = None, **changes: object) -> Pair:
    config = server_config(methods=("EAP",))
    return Pair(config, client_config(eap_tls=client, **changes), judge=judge or LocalEapTls())


def tls_flags(pair: Pair, who: str) -> list[int]:
    return [f[9] for w, f in pair.said if w == who and f[2:4] == b"\xc2\x27" and f[8:9] == b"\x0d"]


def test_shown_contains_the_certificates_owner_and_its_root() -> None:
    judge = LocalEapTls()
    links(client_tls(), judge).open()
    (shown,) = judge.shown
    assert shown.finding.identity
    assert shown.finding.identity.user == "alice"
    own = credential("alice", "user root").certificate
    assert shown.finding.identity.thumbprints[0] == thumbprint(own)
    assert shown.finding.root == thumbprint(credential("user root").certificate)


@pytest.mark.parametrize("padding", [0, 1300, 12_000])
def test_certificates_of_any_size_go_through_in_fragments_both_ways(padding: int) -> None:
    pair = links(client_tls(padding=padding), LocalEapTls(server_tls(padding))).open()
    assert pair.server.network_open
    assert pair.client.network_open
    assert pair.of_server(Authenticated) == pair.of_client(Authenticated)
    for who in ("s", "c"):
        flags = tls_flags(pair, who)
        assert sum(bool(flag & MORE) for flag in flags) >= padding // 1300
        assert sum(bool(flag & LENGTH) for flag in flags) == (1 if padding else 0)
    assert max(len(frame) for _, frame in pair.said) <= 1400 + 4


def test_fragments_keep_to_the_peers_mru() -> None:
    pair = links(client_tls(padding=5000), LocalEapTls(server_tls(5000)), mru=600).open()
    assert pair.server.network_open
    assert max(len(frame) for who, frame in pair.said if who == "s") <= 600 + 4


def test_an_untrusted_certificate_is_refused_before_the_handshake_uses_it() -> None:
    judge = LocalEapTls(roots=Roots((credential("another root").certificate,)))
    pair = links(client_tls(), judge).open()
    (failed,) = pair.of_server(AuthenticationFailed)
    assert failed.reason == "untrusted"
    assert judge.shown == []
    assert judge.failed[0].finding
    assert judge.failed[0].finding.identity
    assert judge.failed[0].finding.identity.user == "alice"
    assert pair.of_client(AuthenticationFailed)[0].reason == "refused"
    assert pair.of_server(LinkDown)
    assert pair.of_server(Authenticated) == pair.of_client(Authenticated) == []


def test_a_good_certificate_is_refused_by_the_verdict_alone() -> None:
    judge = LocalEapTls(decide=lambda shown: Refuse("revoked", "it is", shown.failure))
    pair = links(client_tls(), judge).open()
    assert len(judge.shown) == 1
    assert pair.of_server(AuthenticationFailed) == [AuthenticationFailed("revoked", "it is")]
    assert pair.of_client(AuthenticationFailed)[0].reason == "refused"
    assert pair.of_server(Authenticated) == pair.of_client(Authenticated) == []


def test_nothing_passes_before_the_verdict() -> None:
    judge = LocalEapTls(decide=lambda _shown: None)
    pair = links(client_tls(), judge).open()
    (shown,) = judge.shown
    assert not any(frame[2:4] == b"\x80\x21" or (frame[4:5] == b"\3" and frame[2:4] == b"\xc2\x27")
                   for _, frame in pair.said)  # fmt: skip
    verdict = let_in(shown)
    assert verdict
    pair.server.answer(verdict, pair.now)
    pair.settle()
    assert pair.of_server(NetworkUp)


def test_a_handshake_with_another_certificate_than_the_judged_one_proves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = credential("bob", "user root").certificate.public_bytes(Encoding.DER)
    monkeypatch.setattr(Handshake, "chain", lambda _self: (other,))
    judge = LocalEapTls()
    pair = links(client_tls(), judge).open()
    assert judge.shown == []
    assert pair.of_server(AuthenticationFailed)[0].reason == "tls"


def plain_client() -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    return context


def test_a_client_without_a_certificate_fails_with_an_alert() -> None:
    pair = links(plain_client()).open()
    assert pair.of_server(Authenticated) == []
    assert pair.of_server(AuthenticationFailed)[0].reason == "no-certificate"
    assert pair.of_client(AuthenticationFailed)[0].reason == "tls"


def test_a_client_of_tls_1_1_is_refused() -> None:
    context = plain_client()
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    context.set_min_proto_version(SSL.TLS1_1_VERSION)
    context.set_max_proto_version(SSL.TLS1_1_VERSION)
    pair = links(context).open()
    (failed,) = pair.of_server(AuthenticationFailed)
    assert failed.reason == "tls"
    assert "unsupported protocol" in failed.message


def test_a_client_that_does_not_trust_the_server_says_so_and_both_fail() -> None:
    pair = links(client_tls(root="another root")).open()
    assert pair.of_client(AuthenticationFailed)[0].reason == "tls"
    assert "certificate verify failed" in pair.of_client(AuthenticationFailed)[0].message
    (failed,) = pair.of_server(AuthenticationFailed)
    assert failed.reason == "tls"
    assert "unknown ca" in failed.message
    assert pair.of_server(Authenticated) == []


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_a_client_without_a_suite_of_azures_is_refused_as_over_tls_itself(suite: str) -> None:
    client = client_tls()
    client.set_cipher_list(suite.encode())
    (failed,) = links(client).open().of_server(AuthenticationFailed)
    assert (failed.reason, failed.message) == ("tls", "no shared cipher")


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA256"])
def test_each_suite_of_azures_is_enough(suite: str) -> None:
    client = client_tls()
    client.set_cipher_list(suite.encode())
    assert links(client).open().server.network_open


def test_a_client_that_wants_another_method_is_told_there_is_none() -> None:
    pair = Pair(server_config(methods=("EAP",)), client_config(), judge=LocalEapTls()).open()
    assert pair.of_server(AuthenticationFailed) == [
        AuthenticationFailed("no-certificate", "the peer wants EAP-MSCHAPv2, not EAP-TLS")
    ]


class Judged(ByHand):
    """A server's end whose attempts are answered as by gateway.eap_tls.worker."""

    def hear(self) -> list[Said]:
        said = super().hear()
        while self._events_left():
            self.link.answer(self._verdicts.pop(), self.now)
            said += super().hear()
        return said

    def _events_left(self) -> bool:
        judge = self.__dict__.setdefault("judge", LocalEapTls())
        done = self.__dict__.setdefault("done", [])
        fresh = [event for event in self.of(EapAttempt) if event not in done]
        done += fresh
        self._verdicts = [verdict for event in fresh if (verdict := judge(event))]
        return bool(self._verdicts)


def server() -> tuple[ByHand, int]:
    """A server's end that has asked us to begin TLS, and the identifier it uses."""
    end = Judged(server_config(methods=("EAP",)))
    end.ask(MAGIC)
    ((_, identity),) = end.ack()
    ((protocol, start),) = end.say(EAP, RESPONSE, identity.identifier, b"\1alice")
    assert (protocol, start.data) == (EAP, bytes((TLS, START)))
    return end, start.identifier


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"\x80\0",
        b"\x80\0\2\0\0rest",
        b"\0not TLS at all",
        b"\0\x16\x03\x01\x00\x05short",
        b"\x20",
    ],
)
def test_what_is_not_tls_fails_the_handshake(data: bytes) -> None:
    end, identifier = server()
    said = end.say(EAP, RESPONSE, identifier, b"\x0d" + data)
    while said and said[0][1].code == REQUEST:
        said = end.say(EAP, RESPONSE, said[0][1].identifier, b"\x0d\0")
    assert said[0][1].code == FAILURE
    assert end.of(AuthenticationFailed)[0].reason == "tls"
    assert end.of(Authenticated) == []


@pytest.mark.parametrize("data", [b"\3", b"\3\0", b"\3\x1a\x19", b"\1again", b"\4md5", b"\x1ax"])
def test_anything_but_tls_in_its_place_fails(data: bytes) -> None:
    end, identifier = server()
    end.say(EAP, RESPONSE, identifier, data)
    reason = "no-certificate" if data[0] == NAK else "refused"
    assert end.of(AuthenticationFailed)[0].reason == reason


def test_a_flight_that_never_ends_is_cut_at_32_kb() -> None:
    end, identifier = server()
    piece = b"\x0d" + bytes((MORE,)) + bytes(1300)
    for _ in range(LONGEST_MESSAGE // 1300):
        ((_, packet),) = end.say(EAP, RESPONSE, identifier, piece)
        assert packet.data == b"\x0d\0"
        identifier = packet.identifier
    end.say(EAP, RESPONSE, identifier, piece)
    assert end.of(AuthenticationFailed) == [
        AuthenticationFailed("tls", "an EAP-TLS message of more than 32 KB")
    ]


def shake_by_hand(end: ByHand, identifier: int, client: SSL.Context) -> int:
    """Run the client's handshake until it sends no more; return the last identifier."""
    handshake, fragments = Handshake(client, server=False), Fragments(4000)
    flight = handshake.step(b"")
    while flight:
        data = b"\x0d\0" + flight
        whole = None
        while whole is None:
            ((_, packet),) = end.say(EAP, RESPONSE, identifier, data)
            whole = fragments.receive(packet.data[1:])
            identifier, data = packet.identifier, b"\x0d\0"
        flight = handshake.step(whole)
    return identifier


def test_a_handshake_that_stops_with_an_alert_keeps_its_reason_when_the_peer_is_silent() -> None:
    end, identifier = server()
    shake_by_hand(end, identifier, plain_client())
    assert end.of(AuthenticationFailed) == []
    while not end.of(AuthenticationFailed):
        assert end.link.deadline()
        end.pass_time(5.0)
    assert end.of(AuthenticationFailed)[0].reason == "no-certificate"


def test_a_peer_that_sends_data_after_the_handshake_fails() -> None:
    end, identifier = server()
    identifier = shake_by_hand(end, identifier, client_tls())
    end.say(EAP, RESPONSE, identifier, b"\x0d\0\x15\3\3\0\2\2\x14")
    assert end.of(Authenticated) == []
    assert end.of(AuthenticationFailed)[0].reason == "tls"


def test_a_length_beyond_the_bound_is_refused_at_its_first_piece() -> None:
    with pytest.raises(ValueError, match="32 KB"):
        Fragments(100).receive(b"\xc0" + (LONGEST_MESSAGE + 1).to_bytes(4, "big") + b"piece")


def test_a_lost_fragment_is_sent_again() -> None:
    lost: list[bytes] = []

    def lose(who: str, frame: bytes) -> bool:
        if who == "s" and frame[2:4] == b"\xc2\x27" and frame not in lost:
            lost.append(frame)
            return True
        return False

    pair = links(client_tls(padding=3000), LocalEapTls(server_tls(3000)))
    pair.lost = lose
    pair.open()
    assert not pair.server.network_open
    pair.wait()
    assert len(lost) > 5
    assert pair.server.network_open
    assert pair.client.network_open


def test_fragments_reassemble_to_the_message() -> None:
    sender, receiver = Fragments(100), Fragments(100)
    sender.load(bytes(range(256)))
    pieces = []
    while not pieces or sender.pending:
        pieces.append(sender.next())
    assert [receiver.receive(piece) for piece in pieces] == [None, None, bytes(range(256))]
    assert sender.next() == b"\0"
    assert receiver.receive(b"\0") == b""


def test_a_handshake_of_tls_alone_gives_both_ends_one_msk_and_no_ticket() -> None:
    server_end = Handshake(server_tls(), server=True)
    client_end = Handshake(client_tls(), server=False)
    flight = client_end.step(b"")
    while flight:
        flight = client_end.step(server_end.step(flight))
    assert server_end.done
    assert client_end.done
    assert server_end.msk() == client_end.msk()
    assert len(server_end.msk()) == 64


def test_a_session_is_not_resumed_without_the_certificate() -> None:
    client, server_end = client_tls(), server_tls()
    first = SSL.Connection(client, None)
    kept, _flights = shake(first, server_end)
    session = first.get_session()
    assert session
    assert kept.done
    again = SSL.Connection(client, None)
    again.set_session(session)
    end, flights = shake(again, server_end)
    assert (end.error, flights) == ("", 2)


def shake(connection: SSL.Connection, context: SSL.Context) -> tuple[Handshake, int]:
    """Run an OpenSSL client against our server; return the number of flights (resumed: one)."""
    end, flights = Handshake(context, server=True), 0
    connection.set_connect_state()
    while True:
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            connection.bio_write(end.step(connection.bio_read(65536)))
            flights += 1
        else:
            return end, flights


def test_ipcp_does_not_begin_for_a_peer_that_skips_eap() -> None:
    end, _identifier = server()
    assert end.say(IPCP, REQUEST, 1) == []
    assert end.say(EAP, SUCCESS, 1) == []
    assert end.of(Authenticated) == []
