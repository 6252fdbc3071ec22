"""Two ends of a link against each other: every method from LCP to IPCP."""

from __future__ import annotations

from gateway.ppp.events import (
    Authenticated,
    AuthenticationFailed,
    LinkDown,
    MsChapV2Attempt,
    NetworkUp,
)
from gateway.ppp.keys import zeros
from tests.unit.gateway.ppp.certificates import client_tls
from tests.unit.gateway.ppp.local_eap_tls import LocalEapTls
from tests.unit.gateway.ppp.pair import DNS, GIVEN, Pair, client_config, server_config


def test_mschapv2_brings_the_network_up_with_the_same_key_at_both_ends() -> None:
    pair = Pair(server_config(dns=DNS), client_config()).open()
    assert pair.server.network_open
    assert pair.client.network_open
    assert pair.client.address == pair.server.address == GIVEN
    assert pair.client.dns == DNS
    (server,), (client,) = pair.of_server(Authenticated), pair.of_client(Authenticated)
    assert server == client
    assert (server.user, server.method) == ("alice", "MS-CHAPv2")
    assert [key.form for key in server.keys] == ["specification"]
    assert pair.of_server(NetworkUp) == [NetworkUp(GIVEN, 1400)]


def test_eap_tls_brings_the_network_up_with_both_forms_of_the_key() -> None:
    judge = LocalEapTls()
    pair = Pair(
        server_config(methods=("EAP",)), client_config(eap_tls=client_tls()), judge=judge
    ).open()
    assert pair.server.network_open
    assert pair.client.network_open
    assert [shown.finding.identity.user for shown in judge.shown if shown.finding.identity] == [
        "alice"
    ]
    (server,), (client,) = pair.of_server(Authenticated), pair.of_client(Authenticated)
    assert server == client
    assert server.method == "EAP-TLS"
    assert [key.form for key in server.keys] == ["specification", "pppd"]
    assert server.keys[0].key != server.keys[1].key
    assert zeros()[0].key not in {key.key for key in server.keys}


def test_the_wrong_password_is_refused_by_failure_packet_and_ends_the_link() -> None:
    pair = Pair(server_config(), client_config(password="guess")).open()
    assert len(pair.of_server(MsChapV2Attempt)) == 1
    assert pair.of_server(AuthenticationFailed) == [
        AuthenticationFailed("password", "wrong user name or password")
    ]
    assert pair.of_client(AuthenticationFailed) == [
        AuthenticationFailed("password", "E=691 wrong user name or password")
    ]
    assert len(pair.of_server(LinkDown)) == len(pair.of_client(LinkDown)) == 1
    assert not pair.server.network_open
