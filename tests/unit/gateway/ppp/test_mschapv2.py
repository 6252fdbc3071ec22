"""MS-CHAPv2 against the examples of RFC 2759 section 9.2 and RFC 3079 section 3.5."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from gateway.ppp import mschapv2
from gateway.ppp.events import Accept, MsChapV2Attempt

USER, PASSWORD = "User", "clientPass"
AUTHENTICATOR = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
PEER = bytes.fromhex("21402324255E262A28295F2B3A337C7E")
NT_RESPONSE = bytes.fromhex("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF")
ATTEMPT = MsChapV2Attempt(USER, AUTHENTICATOR, PEER, NT_RESPONSE, 1)


def test_the_hashes_are_rfc_2759s() -> None:
    hashed = mschapv2.nt_password_hash(PASSWORD)
    assert hashed.hex().upper() == "44EBBA8D5312B8D611474411F56989AE"
    assert mschapv2.challenge_hash(PEER, AUTHENTICATOR, USER).hex().upper() == "D02E4386BCE91226"
    assert mschapv2.nt_response(AUTHENTICATOR, PEER, USER, hashed) == NT_RESPONSE


def test_a_right_response_is_verified_with_rfc_2759s_proof() -> None:
    verified = mschapv2.verify(ATTEMPT, PASSWORD)
    assert verified
    assert verified.authenticator_response == "S=407A5589115FD0D6209F510FE9C04566932CDA56"


def test_the_key_the_client_receives_with_is_rfc_3079s_send_start_key() -> None:
    verified = mschapv2.verify(ATTEMPT, PASSWORD)
    assert verified
    (key,) = verified.keys
    receives = key.key[16:]
    assert receives.hex().upper() == "8B7CDC149B993A1BA118CB153F56DCCB"
    session = hashlib.sha1(receives + bytes(40) + receives + b"\xf2" * 40).digest()[:16]
    assert session.hex().upper() == "405CB2247A7956E6E211007AE27B22D4"


@pytest.mark.parametrize(
    "attempt",
    [
        replace(ATTEMPT, user="user"),
        replace(ATTEMPT, peer_challenge=bytes(16)),
        replace(ATTEMPT, authenticator_challenge=bytes(16)),
        replace(ATTEMPT, nt_response=bytes(24)),
        replace(ATTEMPT, nt_response=b""),
    ],
)
def test_anything_else_is_not_verified(attempt: MsChapV2Attempt) -> None:
    assert mschapv2.verify(attempt, PASSWORD) is None


def test_another_password_is_not_verified() -> None:
    assert mschapv2.verify(ATTEMPT, "clientpass") is None


def test_the_domain_before_a_backslash_does_not_count() -> None:
    assert mschapv2.verify(replace(ATTEMPT, user="CONTOSO\\User"), PASSWORD)


def test_no_secret_is_in_what_is_printed() -> None:
    verified = mschapv2.verify(ATTEMPT, PASSWORD)
    assert verified
    accept = Accept(IPv4Address("10.0.0.2"), verified.keys, verified.authenticator_response)
    shown = repr(verified) + repr(ATTEMPT) + repr(accept)
    assert verified.authenticator_response not in shown
    assert repr(verified.keys[0].key) not in shown
    assert repr(NT_RESPONSE) not in shown
