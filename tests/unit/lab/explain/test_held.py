"""An old profile is the cause only of what it explains."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.clients.profile import Profile
from lab.explain import held
from lab.explain.held import Held
from lab.world import Deed

NOW = Profile(("IkeV2", "OpenVPN"), "gw.test", ("10.1.0.0/16",), b"root", "remote gw.test 443\n")
SINCE = "2026-01-01T00:00:00.000+00:00"


def old(**fields: object) -> Held:
    return Held(SINCE, replace(NOW, **fields), NOW)  # type: ignore[arg-type]


def test_the_same_profile_explains_nothing() -> None:
    assert old().differences == ()
    assert held.refusal(old(), "IkeV2", "no-answer", "firewall", ()) is None
    assert held.route(old(), "10.1.1.4", ()) is None
    assert held.route(old(), "10.9.1.4", ()) is None


def test_a_protocol_that_is_offered_no_more() -> None:
    found = held.refusal(
        Held(SINCE, NOW, replace(NOW, protocols=("IkeV2",), openvpn="")), "OpenVPN", "no-answer",
        "firewall", ("the client: refused",)
    )  # fmt: skip
    assert found
    assert found.layer == "profile-stale"
    assert "has IkeV2, OpenVPN, and the gateway offers IkeV2 and no OpenVPN" in found.cause
    assert found.proof == (
        "protocols: the client's profile: IkeV2, OpenVPN; the gateway's profile now: IkeV2",
        "the client: refused",
    )


def test_a_protocol_that_is_new() -> None:
    only = old(protocols=("IkeV2",), openvpn="")
    found = held.refusal(only, "OpenVPN", "no-protocol", "profile-stale", ())
    assert found
    assert f"OpenVPN is not in the client's profile, taken at {SINCE}" in found.cause
    assert held.refusal(only, "IkeV2", "no-answer", "firewall", ()) is None


@pytest.mark.parametrize(
    ("field", "reason", "layer"),
    [
        ({"server": "old.test"}, "no-answer", "firewall"),
        ({"server": "old.test"}, "server-untrusted", "certificate"),
        ({"server_root": b"other"}, "server-untrusted", "certificate"),
    ],
)
def test_a_part_that_differs_is_named_with_both_values(
    field: dict[str, object], reason: str, layer: str
) -> None:
    found = held.refusal(old(**field), "IkeV2", reason, layer, ())  # type: ignore[arg-type]
    assert found
    assert all(str(one.held) in found.cause for one in old(**field).differences)
    assert all(str(one.now) in found.cause for one in old(**field).differences)


@pytest.mark.parametrize(
    ("field", "reason", "layer"),
    [
        ({"server": "old.test"}, "revoked", "revocation"),
        ({"routes": ("10.7.0.0/16",)}, "no-answer", "firewall"),
        ({"server_root": b"other"}, "no-answer", "firewall"),
        ({"server_root": b"other"}, "expired", "certificate"),
    ],
)
def test_a_part_that_does_not_matter_is_not_the_cause(
    field: dict[str, object], reason: str, layer: str
) -> None:
    assert old(**field).differences
    assert held.refusal(old(**field), "IkeV2", reason, layer, ()) is None  # type: ignore[arg-type]


def test_a_route_that_is_new() -> None:
    now = replace(NOW, routes=("10.1.0.0/16", "192.168.50.0/24"))
    found = held.route(Held(SINCE, NOW, now), "192.168.50.9", ("ip route get",))
    assert found
    assert "are 10.1.0.0/16; the gateway's profile now has 10.1.0.0/16, 192.168.50.0/24" in (
        found.cause
    )
    assert found.proof[-1] == "ip route get"
    assert held.route(Held(SINCE, now, NOW), "192.168.50.9", ()) is None


def test_another_tls_auth_key_is_openvpns_alone() -> None:
    def keyed(key: str) -> Profile:
        return replace(NOW, openvpn=f"{NOW.openvpn}<tls-auth>\n{key}\n</tls-auth>\n")

    one = Held(SINCE, keyed("a"), keyed("b"))
    created = Deed(0.0, "create", "gw", "create gw", "created")
    found = held.other_key(one, "OpenVPN", [created], ("the client: reset",))
    assert found
    assert found.layer == "profile-stale"
    assert found.cause.endswith("the gateway was created anew at 1970-01-01T00:00:00.000+00:00")
    assert found.proof[-1] == "the client: reset"
    assert held.other_key(one, "IkeV2", [created], ()) is None
    assert held.other_key(Held(SINCE, keyed("a"), keyed("a")), "OpenVPN", [created], ()) is None
