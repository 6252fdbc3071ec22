"""What macOS and iOS read from the mobileconfig is what the gateway wrote into it."""

from __future__ import annotations

import plistlib
from itertools import product
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.arm.ipsec import IpsecPolicy
from gateway.charon.proposals import Proposals, proposals
from gateway.profile.mobileconfig import mobileconfig
from lab.clients.mobileconfig import read_mobileconfig
from lab.pki.authority import Credential, sign
from lab.topology.planning.plan import CertificatePlan
from tests.unit.gateway.arm.test_ipsec import POLICY

SERVER = "gw.test"


@pytest.fixture(scope="module")
def authority() -> Credential:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return sign(CertificatePlan("root", "Root", None, "root"), key, None)


def written(authority: Credential, *more: Any) -> bytes:
    pem = authority.certificate.public_bytes(Encoding.PEM).decode()
    return mobileconfig(SERVER, pem, *more)


def changed(data: bytes, **changes: Any) -> bytes:
    document = plistlib.loads(data)
    document["PayloadContent"][-1]["IKEv2"] |= changes
    return plistlib.dumps(document)


def test_a_mac_reads_address_name_root_and_method(authority: Credential) -> None:
    for method in ("EAPTLS", "EAPMSCHAPv2"):
        told = read_mobileconfig(written(authority, method))
        assert (told.server, told.identity) == (SERVER, SERVER)
        assert told.roots == authority.certificate.public_bytes(Encoding.PEM)
        assert told.certificate == (method == "EAPTLS")
        assert told.proposals == Proposals(("aes256-sha256-modp2048",), ("aes256-sha256",))


def test_the_radius_servers_root_is_trusted_too(authority: Credential) -> None:
    der = authority.certificate.public_bytes(Encoding.DER)
    told = read_mobileconfig(written(authority, "EAPTLS", der))
    assert told.roots == authority.certificate.public_bytes(Encoding.PEM) * 2


def test_every_policy_is_read_as_it_was_meant(authority: Credential) -> None:
    ciphers = [("AES256", "SHA256"), ("GCMAES256", "GCMAES256"), ("GCMAES128", "GCMAES128")]
    groups = ["DHGroup2", "DHGroup14", "DHGroup24", "ECP256", "ECP384"]
    for ike, (esp, integrity), group, pfs in product(
        ("AES128", "AES256", "GCMAES128", "GCMAES256"),
        ciphers,
        groups,
        ("None", "PFS2", "PFS14", "PFS24", "PFSMM", "ECP384"),
    ):
        policy = IpsecPolicy.model_validate(
            POLICY
            | {"ikeEncryption": ike, "ikeIntegrity": "SHA384", "dhGroup": group}
            | {"ipsecEncryption": esp, "ipsecIntegrity": integrity, "pfsGroup": pfs}
        )
        data = written(authority, "EAPTLS", b"", policy)
        assert read_mobileconfig(data).proposals == proposals(policy)


@pytest.mark.parametrize(
    "changes",
    [
        {"AuthenticationMethod": "SharedSecret"},
        {"ExtendedAuthEnabled": 0},
        {"IKESecurityAssociationParameters": {}},
        {"ChildSecurityAssociationParameters": 3},
    ],
)
def test_what_is_no_such_connection_is_refused(
    authority: Credential, changes: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="the mobileconfig"):
        read_mobileconfig(changed(written(authority), **changes))


@pytest.mark.parametrize(
    "data", [b"", b"<plist>", b"bplist00", plistlib.dumps([]), plistlib.dumps({})]
)
def test_what_is_no_profile_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="the mobileconfig"):
        read_mobileconfig(data)
