"""The user's identity for charon: names as bytes, which it does not parse."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import OtherName, SubjectAlternativeName

from lab.clients.persona import ike_persona
from lab.clients.profile import Profile
from lab.clients.strongswan_config import connection_message
from lab.clients.user import UserCertificate, UserPassword
from lab.pki.authority import PRINCIPAL, Credential, sign
from lab.topology.planning.plan import CertificatePlan

KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)
PROFILE = Profile(
    protocols=("IkeV2",), server="gw.test", server_root=b"", routes=("10.1.0.0/16",), openvpn="",
)  # fmt: skip
NAMES = (
    "alice",
    "Mueller, Joerg",
    "Jörg",
    "a=b+c",
    "%any",
    "fe80::1",
    "@#00",
    "asn1dn:#3000",
    "é" * 32,
)


def certificate(name: str, principal: str = "") -> Credential:
    return sign(CertificatePlan("c", name, None, "client", principal=principal), KEY, None)


def local(user: UserCertificate | UserPassword, profile: Profile = PROFILE) -> dict[str, object]:
    found: dict[str, object] = connection_message(
        profile, user, ike_persona("windows10"), encapsulate=False
    )["local"]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_subject_is_the_certificates_own(name: str) -> None:
    user = UserCertificate(certificate(name).certificate_pem, b"", ())
    assert local(user) == {"auth": "eap-tls", "certs": [user.certificate_pem]}
    to_radius = local(user, replace(PROFILE, radius_root=b"root"))
    assert "id" not in to_radius
    assert to_radius["eap_id"] == f"email:#{name.encode().hex()}"


@pytest.mark.parametrize("name", [*NAMES, "é" * 126 + "x"])
def test_a_password_is_of_the_name_as_it_was_typed(name: str) -> None:
    said = str(local(UserPassword(name, "x"))["eap_id"])
    assert said == f"dns:#{name.encode().hex()}"
    assert len(said) < 512


@pytest.mark.parametrize("name", [*NAMES, "é" * 64, "é" * 200])
def test_a_principal_name_is_a_utf8_string(name: str) -> None:
    made = certificate("c", principal=name).certificate
    (found,) = made.extensions.get_extension_for_class(SubjectAlternativeName).value
    assert isinstance(found, OtherName)
    assert found.type_id == PRINCIPAL
    head, size, data = found.value[0], found.value[1], name.encode()
    length = {True: found.value[1:2], False: found.value[2 : 2 + (size & 0x7F)]}[size < 128]
    assert (head, int.from_bytes(length, "big")) == (0x0C, len(data))
    assert found.value.endswith(length + data)
