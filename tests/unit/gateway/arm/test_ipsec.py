"""An IPsec policy: eight fields, words in any case, returned in ARM's spelling."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from gateway.arm.ipsec import IpsecPolicy
from gateway.arm.resource import VirtualNetworkGateway

POLICY: dict[str, Any] = {
    "saLifeTimeSeconds": 86471,
    "saDataSizeKilobytes": 429496,
    "ipsecEncryption": "AES256",
    "ipsecIntegrity": "SHA256",
    "ikeEncryption": "AES256",
    "ikeIntegrity": "SHA384",
    "dhGroup": "DHGroup14",
    "pfsGroup": "PFS14",
}
WORDS = [name for name, value in POLICY.items() if isinstance(value, str)]


@pytest.mark.parametrize("field", POLICY)
def test_every_field_is_required(field: str) -> None:
    rest = {name: value for name, value in POLICY.items() if name != field}
    with pytest.raises(ValidationError, match=field):
        IpsecPolicy.model_validate(rest)


@pytest.mark.parametrize("field", WORDS)
def test_words_are_taken_in_any_case_and_returned_in_arms(field: str) -> None:
    (literal, *_) = get_args(IpsecPolicy.model_fields[field].rebuild_annotation())
    for word in get_args(literal):
        for written in (word.lower(), word.upper(), word):
            policy = IpsecPolicy.model_validate(POLICY | {field: written})
            assert getattr(policy, field) == word


@pytest.mark.parametrize("field", WORDS)
@pytest.mark.parametrize("wrong", ["AES512", "", 5, None, ["AES256"]])
def test_other_words_are_refused(field: str, wrong: object) -> None:
    with pytest.raises(ValidationError, match=field):
        IpsecPolicy.model_validate(POLICY | {field: wrong})


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        IpsecPolicy.model_validate(POLICY | {"prf": "SHA256"})


def test_the_document_has_the_policy_in_arms_spelling(document: Any) -> None:
    lower = {name: value.lower() if name in WORDS else value for name, value in POLICY.items()}
    gateway = VirtualNetworkGateway.model_validate(document(vpnClientIpsecPolicies=[lower]))
    client = gateway.document()["properties"]["vpnClientConfiguration"]
    assert client["vpnClientIpsecPolicies"] == [POLICY]


@pytest.mark.parametrize("none", [None, []])
def test_no_policy_is_null_or_an_empty_list(none: object, document: Any) -> None:
    gateway = VirtualNetworkGateway.model_validate(document(vpnClientIpsecPolicies=none))
    client = gateway.properties.vpnClientConfiguration
    assert client
    assert client.vpnClientIpsecPolicies == ()
