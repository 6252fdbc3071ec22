"""Careful parsing of profile, .p12 and the programs' messages."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from gateway.arm.ipsec import IpsecPolicy
from gateway.charon.proposals import proposals
from gateway.profile.generic import vpn_settings
from lab.clients.persona import ike_persona, offered
from lab.clients.profile import (
    OPENVPN,
    ROOT,
    SETTINGS,
    WINDOWS_ROOT,
    WINDOWS_SETTINGS,
    ProfileError,
    read_profile,
    with_server,
)
from lab.clients.reasons import OPENVPN as OPENVPN_TABLE
from lab.clients.reasons import SSTP as SSTP_TABLE
from lab.clients.reasons import STRONGSWAN as STRONGSWAN_TABLE
from lab.clients.reasons import Table, judge
from lab.clients.user import parse_bags
from lab.errors import LabError
from lab.pki.authority import Credential, sign
from lab.topology.model.ike import IkeOffer
from lab.topology.model.persona import SYSTEMS
from lab.topology.planning.plan import CertificatePlan
from tests.unit.gateway.arm.test_ipsec import POLICY


@pytest.fixture(scope="module")
def authority() -> Credential:
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return sign(CertificatePlan("root", "Root", None, "root"), key, None)


def zipped(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def settings(types: str = "IkeV2", routes: str = "10.1.0.0/16, 10.2.0.0/16") -> bytes:
    return (
        f"<VpnProfile><VpnServer>gw.test</VpnServer><VpnType>{types}</VpnType>"
        f"<Routes>{routes}</Routes></VpnProfile>"
    ).encode()


def test_a_profile_names_server_routes_and_protocols(authority: Credential) -> None:
    der = authority.certificate.public_bytes(Encoding.DER)
    twice = settings(routes="10.1.0.0/16, 10.2.0.0/16, 10.1.0.0/16")
    files = {SETTINGS: twice, ROOT: der, OPENVPN: b"client\nremote other.test 443\n"}
    profile = read_profile(zipped(files))
    hosts = [profile.host(protocol) for protocol in ("IkeV2", "SSTP", "OpenVPN")]
    assert hosts == ["gw.test", "gw.test", "other.test"]
    assert profile.protocols == ("IkeV2", "OpenVPN")
    assert profile.server == "gw.test"
    assert profile.routes == ("10.1.0.0/16", "10.2.0.0/16")
    assert profile.server_root == authority.certificate_pem


def test_a_profile_of_openvpn_alone_has_no_native_protocol() -> None:
    assert read_profile(zipped({OPENVPN: b"client\n"})).protocols == ("OpenVPN",)


def test_a_profile_of_sstp_alone_has_only_the_folder_for_windows(authority: Credential) -> None:
    der = authority.certificate.public_bytes(Encoding.DER)
    files = {WINDOWS_SETTINGS: settings("SSTP"), WINDOWS_ROOT: der}
    profile = read_profile(zipped(files))
    assert profile.protocols == ("SSTP",)
    assert profile.server == "gw.test"
    assert profile.server_root == authority.certificate_pem


@pytest.mark.parametrize(
    "files",
    [
        {},
        {SETTINGS: b"<VpnProfile>", ROOT: b""},
        {SETTINGS: b"<VpnProfile><VpnServer/></VpnProfile>"},
        {SETTINGS: settings(), ROOT: b"not a certificate"},
        {SETTINGS: settings(routes="10.1.0.0/99")},
        {OPENVPN: b"\xff\xfe"},
        {OPENVPN: bytes(2_000_000)},
    ],
    ids=["empty", "torn", "no-type", "no-certificate", "no-prefix", "no-text", "zip-bomb"],
)
def test_an_invalid_profile_is_refused_with_a_message(files: dict[str, bytes]) -> None:
    with pytest.raises(ProfileError, match="not a VPN client configuration"):
        read_profile(zipped(files))


def test_a_name_that_climbs_out_of_the_zip_is_never_looked_at() -> None:
    assert read_profile(zipped({OPENVPN: b"client\n", "../../etc/passwd": b"x"})).openvpn


@given(st.binary())
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    with pytest.raises(ProfileError):
        read_profile(data)


HOSTILE = "localKeyID -----BEGIN CERTIFICATE-----x-----END CERTIFICATE-----"


def bags(*items: str) -> str:
    """As openssl prints them, with names that look like what is searched."""
    head = "Bag Attributes\n    localKeyID: 17 88\n    friendlyName: {0}\nsubject=CN = {0}\n{1}"
    return "".join(head.format(HOSTILE, item) for item in items)


@pytest.fixture(scope="module")
def alice(authority: Credential) -> Credential:
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return sign(CertificatePlan("alice", HOSTILE[:64], "root", "client"), key, authority)


def test_a_p12s_own_certificate_is_distinguished_from_its_issuers(
    alice: Credential, authority: Credential
) -> None:
    own, other, key = (
        pem.decode() for pem in (alice.certificate_pem, authority.certificate_pem, alice.key_pem)
    )
    for order in ((own, other, key), (other, own, key), (key, other, own)):
        user = parse_bags(bags(*order))
        assert (user.certificate_pem, user.key_pem) == (alice.certificate_pem, alice.key_pem)
        assert user.intermediates_pem == (authority.certificate_pem,)
        assert user.common_name == HOSTILE[:64]


def test_a_p12_without_a_key_is_refused(alice: Credential, authority: Credential) -> None:
    for items in ((alice.certificate_pem,), (authority.certificate_pem, alice.key_pem)):
        with pytest.raises(LabError, match="no private key"):
            parse_bags(bags(*(item.decode() for item in items)))


# Lines as the real programs printed them in the lab.
SAID: list[tuple[Table, list[str], str]] = [
    (STRONGSWAN_TABLE,
     ["retransmit 2 of request with message ID 0", "giving up after 2 retransmits",
      "establishing IKE_SA failed, peer not responding"], "no-answer"),
    (STRONGSWAN_TABLE,
     ["received fatal TLS alert 'certificate unknown'", "EAP_TLS method failed",
      "generating INFORMATIONAL request 8 [ N(AUTH_FAILED) ]"], "refused"),
    (STRONGSWAN_TABLE, ["unable to resolve gw.test, initiate aborted"], "no-answer"),
    (STRONGSWAN_TABLE,
     ["no trusted RSA public key found for 'gw.test'",
      "generating INFORMATIONAL request 2 [ N(AUTH_FAILED) ]"], "server-untrusted"),
    (STRONGSWAN_TABLE, ["received NO_PROPOSAL_CHOSEN notify error"], "no-proposal"),
    (STRONGSWAN_TABLE,
     ["received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built",
      "failed to establish CHILD_SA, keeping IKE_SA"], "no-proposal"),
    (STRONGSWAN_TABLE,
     ["received INTERNAL_ADDRESS_FAILURE notify, no CHILD_SA built"], "no-address"),
    (OPENVPN_TABLE,
     ["HTTP proxy returned: 'HTTP/1.1 403 Forbidden'", "HTTP proxy returned bad status"], "proxy"),
    (OPENVPN_TABLE,
     ["AUTH: Received control message: AUTH_FAILED,The certificate has been revoked"], "refused"),
    (OPENVPN_TABLE, ["Connection reset, restarting [0]"], "refused"),
    (OPENVPN_TABLE,
     ["TCP: connect to [AF_INET]192.0.2.2:443 failed: Connection timed out"], "no-answer"),
    (OPENVPN_TABLE,
     ["VERIFY ERROR: depth=0, error=unable to get local issuer certificate: CN=gw",
      "TLS Error: TLS handshake failed"], "server-untrusted"),
    (OPENVPN_TABLE,
     ["OpenSSL: error:0A00018E:SSL routines::ca md too weak:",
      "Cannot load inline certificate file"], "no-certificate"),
    (STRONGSWAN_TABLE,
     ["no usable TLS client certificate found for 'CN=x'", "EAP_TLS method failed",
      "received EAP_FAILURE, EAP authentication failed"], "refused"),  # so says the gateway
    (SSTP_TABLE,
     ["EAP-TLS: Your certificate has expired!", "EAP: peer reports authentication failure"],
     "expired"),
    (SSTP_TABLE, ["EAP-TLS: Cannot use public certificate /run/sstp/user.pem"], "no-certificate"),
    (OPENVPN_TABLE, ["RESOLVE: Cannot resolve host address: gw.test:443"], "no-answer"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "lines", "reason"), SAID)
def test_a_programs_messages_become_one_reason_and_stay_quoted(
    table: Table, lines: list[str], reason: str
) -> None:
    found, message = judge(table, ["something before", *lines])
    assert found == reason
    assert any(line in message for line in lines)


def test_unknown_messages_are_quoted_too() -> None:
    assert judge(OPENVPN_TABLE, ["a", "b"]) == ("refused", "a; b")
    assert judge(OPENVPN_TABLE, [])[1] == "the program logged nothing"


def test_every_operating_system_has_a_way_to_speak_ikev2() -> None:
    assert all(ike_persona(os).ike and ike_persona(os).esp for os in SYSTEMS)
    assert all("modp1024" in proposal for proposal in ike_persona("windows10").ike)


def policy(**changes: str) -> IpsecPolicy:
    return IpsecPolicy.model_validate(POLICY | changes)


def test_a_profiles_policy_is_read(authority: Credential) -> None:
    text = vpn_settings("gw.test", ["IkeV2"], [], policy(dhGroup="ecp384"))
    der = authority.certificate.public_bytes(Encoding.DER)
    assert read_profile(zipped({SETTINGS: text, ROOT: der})).ipsec == policy(dhGroup="ECP384")
    torn = text.replace(b'"ECP384"', b'"ECP999"')
    with pytest.raises(ProfileError, match="not a VPN client configuration"):
        read_profile(zipped({SETTINGS: torn, ROOT: der}))


def test_a_computer_proposes_the_profiles_policy_unless_its_user_says_otherwise() -> None:
    own = IkeOffer.model_validate({"esp": ["aes256-sha1"]})
    for os in SYSTEMS:
        asked = proposals(policy())
        assert offered(os, asked, None).ike == ("aes256-sha384-modp2048",)
        assert offered(os, asked, own).ike == ("aes256-sha384-modp2048",)
        assert offered(os, asked, own).esp == ("aes256-sha1",)
        assert offered(os, None, None) == ike_persona(os)


def test_apples_systems_have_no_group_24() -> None:
    for changes in ({"dhGroup": "DHGroup24"}, {"pfsGroup": "PFS24"}):
        asked = proposals(policy(**changes))
        assert offered("macos", asked, None) == ike_persona("macos")
        assert offered("windows10", asked, None) == asked


def test_another_server_is_dialled_over_every_protocol(authority: Credential) -> None:
    der = authority.certificate.public_bytes(Encoding.DER)
    files = {SETTINGS: settings(), ROOT: der, OPENVPN: b"client\nremote gw.test 443\n"}
    before = read_profile(zipped(files))
    edited = read_profile(with_server(zipped(files), "old.example"))
    hosts = [edited.host(protocol) for protocol in ("IkeV2", "SSTP", "OpenVPN")]
    assert hosts == ["old.example"] * 3
    assert (edited.routes, edited.server_root) == (before.routes, before.server_root)
    with pytest.raises(ProfileError):
        with_server(b"no zip", "old.example")
