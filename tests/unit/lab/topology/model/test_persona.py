"""What a computer dials, in each state of its operating system: sentences of the seed."""

from __future__ import annotations

from itertools import product

import pytest

from lab.topology.model.persona import (
    EAP_TLS,
    NO_CERT_REQ,
    SCHANNEL_DISABLED,
    SCHANNEL_ENABLED,
    SYSTEMS,
    WINHTTP,
    WINHTTP_32,
    ClientSystem,
    Os,
    canonical_value,
    client_system,
    known_version,
    wrong_value,
)
from lab.topology.model.vocabulary import VpnProtocol

OLD: tuple[Os, ...] = (
    "windows7", "windows8.1", "windows-server-2008-r2", "windows-server-2012",
    "windows-server-2012-r2",
)  # fmt: skip
UPDATES = ("KB3140245", "KB2977292")


def dialled(system: ClientSystem, *, radius: bool = False) -> set[VpnProtocol]:
    every: tuple[VpnProtocol, ...] = ("IkeV2", "SSTP", "OpenVPN")
    return {one for one in every if not system.why_not(one, radius=radius)}


@pytest.mark.parametrize("os", OLD)
def test_windows_before_10_has_no_ikev2(os: Os) -> None:
    assert dialled(client_system(os)) == {"SSTP", "OpenVPN"}


@pytest.mark.parametrize(
    ("os", "version", "update"),
    [
        ("windows-server-2016", None, "KB4057142"),
        ("windows10", "1607", "KB4057142"),
        ("windows10", "1703", "KB4057144"),
        ("windows10", "1709", "KB4089848"),
    ],
)
def test_ikev2_needs_update_and_value(os: Os, version: str | None, update: str) -> None:
    for updates, number in product(((), (update,)), (None, 0, 1)):
        registry = {} if number is None else {NO_CERT_REQ: number}
        system = client_system(os, version, updates=updates, registry=registry)
        assert ("IkeV2" in dialled(system)) == (updates != () and number == 1)
        assert "IkeV2" in dialled(system.prepared())
    assert "IkeV2" in dialled(client_system(os, version))


def test_the_first_windows_10_has_no_update_for_ikev2() -> None:
    assert dialled(client_system("windows10", "10240")) == {"SSTP", "OpenVPN"}


@pytest.mark.parametrize(
    ("os", "version", "protocols"),
    [
        ("macos", "10.10", set()),
        ("macos", "10.11", {"IkeV2"}),
        ("macos", "10.12.6", {"IkeV2"}),
        ("macos", "10.13", {"IkeV2", "OpenVPN"}),
        ("macos", "11.0", {"IkeV2", "OpenVPN"}),
        ("macos", None, {"IkeV2", "OpenVPN"}),
        ("ios", "10.3", set()),
        ("ios", "11.0", {"OpenVPN"}),
        ("linux", None, {"IkeV2", "OpenVPN"}),
        ("android", None, {"OpenVPN"}),
    ],
)
def test_others_dial(os: Os, version: str | None, protocols: set[str]) -> None:
    assert dialled(client_system(os, version)) == protocols


def test_ios_dials_ikev2_where_radius_decides() -> None:
    assert dialled(client_system("ios"), radius=True) == {"IkeV2", "OpenVPN"}
    assert dialled(client_system("ios", "10"), radius=True) == {"IkeV2"}


@pytest.mark.parametrize("os", OLD)
def test_an_old_windows_speaks_tls_1_2_with_updates_and_values(os: Os) -> None:
    values = {EAP_TLS: 0xFC0, WINHTTP: 0xAA0, WINHTTP_32: 0xAA0}
    for updates in ((), UPDATES[:1], UPDATES[1:], UPDATES):
        for left_out in (None, *values):
            registry = {key: values[key] for key in values if key != left_out}
            system = client_system(os, updates=updates, registry=registry)
            sstp = UPDATES[0] in updates and left_out in (None, EAP_TLS)
            eap = UPDATES[1] in updates and left_out != EAP_TLS
            assert (system.sstp_tls, system.eap_tls) == (
                None if sstp else "1.0",
                None if eap else "1.0",
            )
    prepared = client_system(os, updates=(), registry={}).prepared()
    assert (prepared.sstp_tls, prepared.eap_tls) == (None, None)
    assert client_system(os) == prepared


def test_a_32_bit_windows_has_one_value_less() -> None:
    registry = {EAP_TLS: 0xFC0, WINHTTP: 0xAA0}
    for architecture, maximum in (("X86", None), ("Amd64", "1.0")):
        system = client_system("windows7", None, architecture, UPDATES, registry)  # type: ignore[arg-type]
        assert system.sstp_tls == maximum


def test_the_first_windows_10_needs_the_values_alone() -> None:
    values = {EAP_TLS: 0xFC0, WINHTTP: 0xAA0, WINHTTP_32: 0xAA0}
    system = client_system("windows10", "10240", registry={})
    assert (system.sstp_tls, system.eap_tls) == ("1.0", "1.0")
    system = client_system("windows10", "10240", registry=values)
    assert (system.sstp_tls, system.eap_tls) == (None, None)


@pytest.mark.parametrize(("number", "maximum"), [(0x80, "1.0"), (0x2A0, "1.1"), (0x880, None)])
def test_the_bits_are_read(number: int, maximum: str | None) -> None:
    registry = {WINHTTP: number, WINHTTP_32: 0xAA0}
    assert client_system("windows7", updates=UPDATES, registry=registry).sstp_tls == maximum


@pytest.mark.parametrize("value", [{SCHANNEL_ENABLED: 0}, {SCHANNEL_DISABLED: 1}])
def test_schannel_without_tls_1_2(value: dict[str, int]) -> None:
    system = client_system("windows11", registry=value)
    assert (system.sstp_tls, system.eap_tls) == ("1.1", "1.1")


def test_values_have_their_bits() -> None:
    assert not wrong_value(EAP_TLS, 0xFC0)
    assert not wrong_value(WINHTTP, 0xAA0)
    assert wrong_value(EAP_TLS, 0xAA1)
    assert wrong_value(WINHTTP, 0)
    assert wrong_value(WINHTTP, 0x20)
    assert wrong_value(NO_CERT_REQ, 2)


def test_a_path_may_be_written_as_the_seed_does() -> None:
    seeds = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\RasMan\ IKEv2"
    assert canonical_value(rf"{seeds}\DisableCertReqPayload") == NO_CERT_REQ
    assert canonical_value(WINHTTP_32.lower()) == WINHTTP_32


@pytest.mark.parametrize(
    ("os", "version"),
    [("macos", "10"), ("macos", "10.99"), ("macos", "x"), ("ios", "8"), ("windows10", "1709.1"),
     ("linux", ""), ("ios", "11..0")],
)  # fmt: skip
def test_there_is_no_such_version(os: Os, version: str) -> None:
    assert known_version(os, version) is None


def test_every_system_is_described() -> None:
    for os, rows in SYSTEMS.items():
        for version in rows:
            assert str(client_system(os, version or None)).startswith(os)
