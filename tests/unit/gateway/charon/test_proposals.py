"""ARM's words in charon's."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.arm.ipsec import IpsecPolicy
from gateway.charon.proposals import lifetimes, proposals
from tests.unit.gateway.arm.test_ipsec import POLICY


def told(**changes: str) -> tuple[str, str]:
    found = proposals(IpsecPolicy.model_validate(POLICY | changes))
    (ike,), (esp,) = found.ike, found.esp
    return ike, esp


GROUPS = {
    "DHGroup1": "modp768",
    "DHGroup2": "modp1024",
    "DHGroup14": "modp2048",
    "DHGroup2048": "modp2048",
    "DHGroup24": "modp2048s256",
    "ECP256": "ecp256",
    "ECP384": "ecp384",
}
CIPHERS = {"DES": "des", "DES3": "3des", **{f"AES{n}": f"aes{n}" for n in (128, 192, 256)}}


def test_the_articles_policy_is_one_proposal_each() -> None:
    assert told() == ("aes256-sha384-modp2048", "aes256-sha256-modp2048")


@pytest.mark.parametrize(("word", "keyword"), GROUPS.items())
def test_groups(word: str, keyword: str) -> None:
    assert told(dhGroup=word)[0] == f"aes256-sha384-{keyword}"
    assert told(dhGroup=word, pfsGroup="PFSMM")[1] == f"aes256-sha256-{keyword}"
    pfs = word.replace("DHGroup", "PFS")
    assert told(pfsGroup=pfs)[1] == f"aes256-sha256-{keyword}"
    assert told(pfsGroup="None")[1] == "aes256-sha256"


@pytest.mark.parametrize(("word", "keyword"), CIPHERS.items())
def test_ciphers(word: str, keyword: str) -> None:
    assert told(ikeEncryption=word)[0] == f"{keyword}-sha384-modp2048"
    assert told(ipsecEncryption=word)[1] == f"{keyword}-sha256-modp2048"


@pytest.mark.parametrize("word", ["MD5", "SHA1", "SHA256"])
def test_integrity(word: str) -> None:
    assert told(ikeIntegrity=word)[0] == f"aes256-{word.lower()}-modp2048"
    assert told(ipsecIntegrity=word)[1] == f"aes256-{word.lower()}-modp2048"


@pytest.mark.parametrize("size", [128, 192, 256])
def test_gcm_protects_integrity_itself(size: int) -> None:
    word = f"GCMAES{size}"
    esp = {"ipsecEncryption": word, "ipsecIntegrity": word}
    assert told(**esp)[1] == f"aes{size}gcm16-modp2048"
    assert told(**esp, pfsGroup="None")[1] == f"aes{size}gcm16"
    if size != 192:
        assert told(ikeEncryption=word)[0] == f"aes{size}gcm16-prfsha384-modp2048"


def test_no_encryption() -> None:
    assert told(ipsecEncryption="None", pfsGroup="None")[1] == "null-sha256"


@pytest.mark.parametrize(("seconds", "kilobytes"), [(300, 1024), (86_471, 429_496)])
def test_keys_are_replaced_before_their_life_ends(seconds: int, kilobytes: int) -> None:
    found: dict[str, Any] = lifetimes(seconds, kilobytes)
    assert found["life_time"] == f"{seconds}s"
    assert found["life_bytes"] == str(kilobytes * 1024)
    assert 0.8 * seconds < int(found["rekey_time"][:-1]) < seconds
    assert 0.8 * kilobytes * 1024 < int(found["rekey_bytes"]) < kilobytes * 1024
