"""The crypto binding's key by method: the measured table of docs/facts.md §8."""

from __future__ import annotations

import pytest

from gateway.ppp.keys import BindingKey, from_mschapv2, from_msk, from_radius, zeros

MSK = bytes(range(64))
RECEIVE, SEND = MSK[:32], MSK[32:]


def test_mschapv2_joins_the_clients_send_and_receive_key() -> None:
    assert from_mschapv2(b"s" * 16, b"r" * 16) == (
        BindingKey("specification", b"s" * 16 + b"r" * 16),
    )


def test_eap_tls_has_exactly_two_forms() -> None:
    assert from_msk(MSK) == (
        BindingKey("specification", MSK[:32]),
        BindingKey("pppd", MSK[:16] + MSK[32:48]),
    )


@pytest.mark.parametrize("method", ["MS-CHAPv2", "EAP-MSCHAPv2"])
def test_radius_gives_mschapv2_as_receive_and_send(method: str) -> None:
    assert from_radius(b"r" * 16, b"s" * 16, method) == (
        BindingKey("specification", b"r" * 16 + b"s" * 16),
    )


def test_radius_gives_eap_tls_the_forms_of_a_local_handshake() -> None:
    assert from_radius(RECEIVE, SEND, "EAP-TLS") == from_msk(MSK)


def test_radius_gives_other_eap_methods_the_first_half_of_the_msk() -> None:
    assert from_radius(RECEIVE, SEND, "PEAP") == (BindingKey("specification", RECEIVE),)


@pytest.mark.parametrize("method", ["MS-CHAPv2", "EAP-MSCHAPv2", "EAP-TLS", "PEAP"])
def test_a_radius_server_that_gives_no_keys_gets_no_binding_at_all(method: str) -> None:
    assert from_radius(b"", b"", method) == ()


def test_only_pap_has_zeros() -> None:
    assert zeros() == (BindingKey("none", bytes(32)),)


def test_keys_of_a_wrong_length_are_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        from_mschapv2(b"s" * 15, b"r" * 16)
    with pytest.raises(ValueError, match="64"):
        from_msk(MSK[:32])


def test_a_key_is_not_in_its_repr() -> None:
    assert "key=" not in repr(from_msk(MSK)[0])
