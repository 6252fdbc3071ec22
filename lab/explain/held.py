"""The profile in a client's hands against the gateway's of now: what differs, and when that is why
a dial failed or a route is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from lab.clients.profile import Profile, read_profile
from lab.errors import LabError
from lab.explain.model import Finding, Layer, failure, stamp

if TYPE_CHECKING:
    from lab.world import ClientComputer

SERVER, PROTOCOLS, ROUTES, ROOT, POLICY = (
    "server",
    "protocols",
    "routes",
    "root of the gateway's certificate",
    "IPsec policy",
)
_REMEDY = "take a new profile from the gateway, and dial with that"


@dataclass(frozen=True)
class Difference:
    """A part of both profiles that is not the same."""

    what: str
    held: str
    now: str

    def __str__(self) -> str:
        return (
            f"{self.what}: the client's profile: {self.held}; the gateway's profile now: {self.now}"
        )


@dataclass(frozen=True)
class Held:
    """The profile with which a client dialled, and the gateway's of now."""

    since: str
    """When the client got it: UTC, ISO 8601."""
    profile: Profile
    now: Profile

    @property
    def differences(self) -> tuple[Difference, ...]:
        """All that differs."""
        return tuple(_differences(self.profile, self.now))

    def of(self, what: str) -> Difference | None:
        """The difference of one part."""
        return next((one for one in self.differences if one.what == what), None)


async def look(client: ClientComputer) -> Held | None:
    """The profile with which a client dialled and the gateway's of now; None if either has none."""
    if not client.package:
        return None
    with suppress(LabError):
        profile, now = read_profile(client.package), read_profile(await client.profile())
        return Held(stamp(client.package_at), profile, now)
    return None


def _differences(held: Profile, now: Profile) -> Iterator[Difference]:
    for what, first, second in (
        (SERVER, server_of(held), server_of(now)),
        (PROTOCOLS, ", ".join(held.protocols), ", ".join(now.protocols)),
        (ROUTES, ", ".join(held.routes), ", ".join(now.routes)),
        (ROOT, _digest(held.server_root), _digest(now.server_root)),
        (POLICY, _policy(held), _policy(now)),
    ):
        if first != second:
            yield Difference(what, first or "none", second or "none")


def server_of(profile: Profile) -> str:
    """The gateway's name in it."""
    return profile.server or profile.host("OpenVPN")


def _digest(pem: bytes) -> str:
    """Profiles without IKEv2 and SSTP have it in OpenVPN's part alone."""
    return f"SHA-256 {sha256(pem).hexdigest()[:16]}" if pem else ""


def _policy(profile: Profile) -> str:
    return " ".join(str(value) for _, value in profile.ipsec) if profile.ipsec else ""


def refusal(
    held: Held, protocol: str, reason: str, layer: Layer, said: Sequence[str]
) -> Finding | None:
    """Why a dial failed, if it is the old profile. `said`: further proof, such as the client's
    words."""
    found = _of_protocol(held, protocol)
    if not found and (difference := _reason_to_fail(held, reason, layer)):
        found = (
            f"{difference.what} of {_whose(held)} is {difference.held}, and the gateway's is "
            f"{difference.now}"
        )
    if not found:
        return None
    proof = (*map(str, held.differences), *said)
    return failure("profile-stale", found, *proof, remedy=_REMEDY, at=held.since)


def _whose(held: Held) -> str:
    return f"the client's profile, taken at {held.since},"


def _of_protocol(held: Held, protocol: str) -> str:
    has, offered = ", ".join(held.profile.protocols), ", ".join(held.now.protocols)
    if (protocol in held.profile.protocols) == (protocol in held.now.protocols):
        return ""
    if protocol in held.now.protocols:
        return f"{protocol} is not in {_whose(held)} which has {has}; the gateway offers {offered}"
    return f"{_whose(held)} has {has}, and the gateway offers {offered} and no {protocol}"


def _reason_to_fail(held: Held, reason: str, layer: Layer) -> Difference | None:
    """The difference that explains this reason."""
    if layer in ("name", "underlay", "firewall", "gateway-down") or reason == "server-untrusted":
        return held.of(SERVER) or (held.of(ROOT) if reason == "server-untrusted" else None)
    return held.of(POLICY) if layer == "ike-proposal" else None


def route(held: Held, address: str, proof: Sequence[str]) -> Finding | None:
    """Why there is no route to an address through the tunnel, if it is the old profile."""
    if covers(held.profile, address) or not covers(held.now, address):
        return None
    difference = held.of(ROUTES)
    assert difference
    cause = (
        f"no route through the tunnel to {address}: it is not in the routes of {_whose(held)} "
        f"which are {difference.held}; the gateway's profile now has {difference.now}"
    )
    rows = (*map(str, held.differences), *proof)
    remedy = f"{_REMEDY} (takeProfile, or hang up and dial again)"
    return failure("profile-stale", cause, *rows, remedy=remedy, at=held.since)


def covers(profile: Profile, address: str) -> bool:
    """Whether a profile's routes have an address."""
    return any(ip_address(address) in ip_network(prefix) for prefix in profile.routes)
