"""The client configuration zip: documented content, equal bytes for equal settings."""

from __future__ import annotations

import io
import plistlib
import zipfile
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from gateway.arm.ipsec import IpsecPolicy
from gateway.openvpn.config import static_key
from gateway.profile.archive import Snapshot, files, pack
from gateway.profile.generic import IPSEC_POLICY
from tests.unit.gateway.arm.test_ipsec import POLICY

FQDN = "azuregateway-1-2.vpn.azure.com"
GENERIC = {
    "Generic/VpnSettings.xml",
    "Generic/VpnServerRoot.cer",
    "Generic/VpnServerRoot.cer_0",
}
MAC = {"Mac/VpnSettings.mobileconfig"}
WINDOWS = {
    "WindowsLab/VpnSettings.xml",
    "WindowsLab/VpnServerRoot.cer",
    "WindowsLab/VpnClientSetup.ps1",
}


@pytest.fixture
def snapshot(pki: Any) -> Snapshot:
    return Snapshot(
        fqdn=FQDN,
        certificate_name="1.vpn.azure.com",
        root_pem=pki["root"].public_bytes(Encoding.PEM).decode(),
        protocols=("OpenVPN", "IkeV2"),
        routes=(IPv4Network("10.1.0.0/16"), IPv4Network("192.168.50.0/24")),
        tls_auth=static_key(bytes(range(256))),
    )


def test_generic_settings_are_the_documented_elements(snapshot: Snapshot) -> None:
    profile = ET.fromstring(files(snapshot)["Generic/VpnSettings.xml"])
    assert profile.tag == "VpnProfile"
    assert {child.tag: child.text for child in profile} == {
        "VpnServer": FQDN,
        "VpnType": "IkeV2,OpenVPN",
        "Routes": "10.1.0.0/16,192.168.50.0/24",
    }


def test_the_server_root_is_in_it(snapshot: Snapshot, pki: Any) -> None:
    root = load_der_x509_certificate(files(snapshot)["Generic/VpnServerRoot.cer"])
    assert root == pki["root"]


@pytest.mark.parametrize(
    ("protocols", "names"),
    [
        (("IkeV2",), GENERIC | MAC | WINDOWS),
        (("OpenVPN",), {"OpenVPN/vpnconfig.ovpn"}),
        (("SSTP",), WINDOWS),
        (("IkeV2", "SSTP"), GENERIC | MAC | WINDOWS),
    ],
)
def test_folders_are_there_for_their_protocols_only(
    snapshot: Snapshot, protocols: Any, names: set[str]
) -> None:
    assert set(files(replace(snapshot, protocols=protocols))) == names


@pytest.mark.parametrize(
    ("protocols", "tunnel"),
    [(("IkeV2",), "Ikev2"), (("SSTP",), "Sstp"), (("SSTP", "IkeV2"), "Automatic")],
)
def test_the_windows_script_makes_a_connection_with_azures_routes(
    snapshot: Snapshot, protocols: Any, tunnel: str
) -> None:
    content = files(replace(snapshot, protocols=protocols))
    script = content["WindowsLab/VpnClientSetup.ps1"].decode()
    assert f"-ServerAddress '{FQDN}' -TunnelType {tunnel} `\r\n" in script
    assert "-SplitTunneling" in script
    for route in snapshot.routes:
        assert f"-DestinationPrefix '{route}'\r\n" in script


def test_windows_alone_reads_the_same_settings_as_generic(snapshot: Snapshot) -> None:
    content = files(replace(snapshot, protocols=("SSTP", "IkeV2")))
    assert content["WindowsLab/VpnSettings.xml"] == content["Generic/VpnSettings.xml"]
    assert b"<VpnType>IkeV2,SSTP</VpnType>" in content["WindowsLab/VpnSettings.xml"]


def test_the_openvpn_profile_has_azures_directives(snapshot: Snapshot) -> None:
    text = files(snapshot)["OpenVPN/vpnconfig.ovpn"].decode()
    lines = text.splitlines()
    for directive in (
        "client",
        f"remote {FQDN} 443",
        "verify-x509-name '1.vpn.azure.com' name",
        "remote-cert-tls server",
        "proto tcp",
        "cipher AES-256-GCM",
        "auth SHA256",
        "tls-version-min 1.2",
        "key-direction 1",
    ):
        assert directive in lines
    assert "<cert>\n$CLIENTCERTIFICATE\n</cert>" in text
    assert "<key>\n$PRIVATEKEY\n</key>" in text
    assert text.count("BEGIN OpenVPN Static key V1") == 1


def test_a_static_key_has_16_lines_of_32_digits() -> None:
    rows = static_key(bytes(256)).splitlines()[1:-1]
    assert [len(row) for row in rows] == [32] * 16


def test_equal_settings_give_equal_bytes(snapshot: Snapshot) -> None:
    assert pack(files(snapshot)) == pack(files(snapshot))
    with zipfile.ZipFile(io.BytesIO(pack(files(snapshot)))) as archive:
        assert archive.testzip() is None


def with_policy(snapshot: Snapshot, **changes: str) -> dict[str, bytes]:
    policy = IpsecPolicy.model_validate(POLICY | changes)
    protocols = ("IkeV2", "SSTP")
    mac = replace(snapshot, radius=True, method="EAPMSCHAPv2")
    return files(replace(mac, protocols=protocols, ipsec=policy))


def test_a_policy_is_an_element_of_the_labs_own(snapshot: Snapshot) -> None:
    for folder in ("Generic", "WindowsLab"):
        profile = ET.fromstring(with_policy(snapshot)[f"{folder}/VpnSettings.xml"])
        assert [child.tag for child in profile][:3] == ["VpnServer", "VpnType", "Routes"]
        found = profile.find(IPSEC_POLICY)
        assert found is not None
        assert IpsecPolicy.model_validate(found.attrib) == IpsecPolicy.model_validate(POLICY)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ("-DHGroup Group14 ", "SHA256128 ", "-PfsGroup PFS2048")),
        ({"dhGroup": "ECP384", "pfsGroup": "None"}, ("-DHGroup ECP384 ", "-PfsGroup None")),
        (
            {"ipsecEncryption": "GCMAES256", "ipsecIntegrity": "GCMAES256"},
            ("-CipherTransformConstants GCMAES256 ", "-AuthenticationTransformConstants GCMAES256"),
        ),
    ],
)
def test_windows_is_told_the_policy_in_its_own_words(
    snapshot: Snapshot, changes: dict[str, str], words: tuple[str, ...]
) -> None:
    script = with_policy(snapshot, **changes)["WindowsLab/VpnClientSetup.ps1"].decode()
    assert "Set-VpnConnectionIPsecConfiguration" in script
    assert all(word in script for word in words)
    plain = files(snapshot)["WindowsLab/VpnClientSetup.ps1"].decode()
    assert "Set-VpnConnectionIPsecConfiguration" not in plain


def test_a_mac_is_told_the_policy_in_apples_words(snapshot: Snapshot) -> None:
    def ikev2(**changes: str) -> dict[str, Any]:
        text = with_policy(snapshot, **changes)["Mac/VpnSettings.mobileconfig"]
        found: dict[str, Any] = plistlib.loads(text)["PayloadContent"][1]["IKEv2"]
        return found

    told = ikev2()
    assert told["IKESecurityAssociationParameters"] == {
        "EncryptionAlgorithm": "AES-256",
        "IntegrityAlgorithm": "SHA2-384",
        "DiffieHellmanGroup": 14,
    }
    assert told["EnablePFS"] == 1
    gcm = ikev2(ipsecEncryption="GCMAES128", ipsecIntegrity="GCMAES128", pfsGroup="None")
    assert gcm["ChildSecurityAssociationParameters"] == {"EncryptionAlgorithm": "AES-128-GCM"}
    assert gcm["EnablePFS"] == 0
    mm = ikev2(pfsGroup="PFSMM", dhGroup="ECP384")["ChildSecurityAssociationParameters"]
    assert mm["DiffieHellmanGroup"] == 20
