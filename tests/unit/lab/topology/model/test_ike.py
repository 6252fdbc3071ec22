"""Proposals in a topology file: strongSwan's keywords, and what a proposal must have."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.ikev2 import config as ikev2
from gateway.s2s import config as s2s
from lab.clients.persona import ike_persona
from lab.roles import site
from lab.topology.model.ike import IkeOffer
from lab.topology.model.persona import SYSTEMS


@pytest.mark.parametrize(
    "text",
    [
        "aes256-sha256-modp2048",
        "aes256gcm16-prfsha384-ecp384",
        "aes256gcm16-sha384-ecp384",
        "aes256-aes128-sha256-sha1-modp2048-ecp256",
        "chacha20poly1305-prfsha256-x25519",
        "3des-md5-modp768",
    ],
)
def test_ike_proposals(text: str) -> None:
    assert IkeOffer.model_validate({"proposals": [text]}).proposals == (text,)


@pytest.mark.parametrize(
    "text", ["aes256gcm16", "aes256-sha256", "null-sha1", "aes128-sha1-ecp256"]
)
def test_esp_proposals(text: str) -> None:
    assert IkeOffer.model_validate({"esp": [text]}).esp == (text,)


def test_all_that_the_lab_proposes_by_itself_could_be_written() -> None:
    own = (ikev2.DEFAULT, s2s.DEFAULT, site.DEFAULT, *map(ike_persona, SYSTEMS))
    for one in own:
        IkeOffer.model_validate({"proposals": one.ike, "esp": one.esp})


@pytest.mark.parametrize(
    ("of", "text", "words"),
    [
        ("proposals", "aes256-sha256-modp2049", "'modp2049' is not one of strongSwan's keywords"),
        ("proposals", "aes256-sha256-modp2048!", "did you mean 'modp2048'"),
        ("proposals", "AES256-SHA256-MODP2048", "did you mean 'aes256'"),
        ("proposals", "", "'' is not one of strongSwan's keywords"),
        ("proposals", "aes256-sha256", "no Diffie-Hellman group"),
        ("proposals", "sha256-modp2048", "no encryption algorithm"),
        ("proposals", "aes256-modp2048", "no integrity algorithm"),
        ("proposals", "aes256gcm16-ecp384", "no pseudo-random function"),
        ("proposals", "aes256gcm16-aes256-sha256-ecp384", "beside one that does not"),
        ("proposals", "null-sha256-modp2048", "'null' is not one of strongSwan's keywords for IKE"),
        ("proposals", "aes256-sha256-modp2048-esn", "'esn' is not one"),
        ("esp", "aes256", "no integrity algorithm"),
        ("esp", "aes256gcm16-sha256", "its cipher protects integrity itself"),
        ("esp", "aes256-sha256-prfsha256", "'prfsha256' is not one"),
        ("esp", "modp2048", "no encryption algorithm"),
        ("esp", "aes256-sha256-aes256", "names 'aes256' twice"),
    ],
)
def test_what_is_no_proposal_is_refused_in_words(of: str, text: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        IkeOffer.model_validate({of: [text]})
    assert words in str(caught.value)


@pytest.mark.parametrize("wrong", [{}, {"proposals": []}, {"esp": []}, {"proposals": [5]}])
def test_nothing_offered_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        IkeOffer.model_validate(wrong)
