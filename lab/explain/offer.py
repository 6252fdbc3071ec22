"""A protocol that the computer does not dial, or the gateway does not offer. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.explain import remedies
from lab.explain.document import by_radius, configuration_of, protocols_of
from lab.explain.model import Finding, failure, stamp, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.explain.attempt import Attempt
    from lab.explain.document import Document
    from lab.world import ClientComputer, Deed

_ADMINISTRATOR = (
    "For Windows clients, you must have administrator rights on the client device in order to "
    "initiate the VPN connection from the client device to Azure."
)
"""Of azure-docs about-point-to-site-vpn."""


def able(client: ClientComputer, document: Document) -> tuple[str, ...]:
    """The protocols that a computer dials, as it is now."""
    radius, system = by_radius(document), client.system
    if system.windows and not system.administrator:
        return ()
    return tuple(one for one in system.release.dials if not system.why_not(one, radius=radius))


def without_clients(document: Document, gateway: str, past: Sequence[Deed]) -> Finding | None:
    """A gateway that has no point-to-site; None: it has. `past`: what was done in the lab."""
    if configuration_of(document):
        return None
    key = "vpnClientConfiguration"
    changes = [deed for deed in past if deed.verb == "update" and deed.subject == gateway]
    since = f" since an update at {stamp(changes[-1].at)}" if changes else ""
    return failure(
        "gateway-down",
        f"the gateway {gateway} has no {key}{since}: it offers no point-to-site at all",
        f"the gateway's document: {key} is missing",
        *map(told, changes[-1:]),
        remedy=f"give the gateway a {key}, take a new profile and dial again",
    )


def not_able(attempt: Attempt) -> Finding:
    """The computer itself does not dial; it says why."""
    said, at = attempt.client_said, stamp(attempt.at)
    if attempt.reason == "administrator":
        cause = f"{attempt.message}: {_ADMINISTRATOR!r}"
        return failure("client-policy", cause, said, remedy="let an administrator dial", at=at)
    return failure("client-policy", attempt.message, said, remedy=_remedy(attempt), at=at)


def _remedy(attempt: Attempt) -> str:
    lacks = attempt.lacks if attempt.reason == "system" else ()
    offered = protocols_of(attempt.document)
    return remedies.remedy(attempt.protocol, attempt.able, offered, lacks, attempt.forbidden)


def not_offered(attempt: Attempt) -> Finding:
    """The profile does not offer the protocol: by a change, or nothing that the computer dials."""
    protocol, key = attempt.protocol, remedies.KEY
    offers = protocols_of(attempt.document)
    offered = ", ".join(offers) or "nothing"
    changes = attempt.changes(key)
    if not set(offers) & set(attempt.able) and not changes:
        dials = " and ".join(attempt.able) or "nothing"
        return failure(
            "client-policy",
            f"{attempt.system} dials {dials}, and the gateway offers {offered}: nothing in common",
            f"the gateway's document: {key} is {offered}",
            attempt.client_said,
            remedy=_remedy(attempt),
            at=stamp(attempt.at),
        )
    since = f" since it was changed at {stamp(changes[-1].at)}" if changes else ""
    return failure(
        "profile-stale" if changes else "client-policy",
        f"{protocol} is not offered by the gateway{since}: it offers {offered}",
        f"the gateway's document: {key} is {offered}",
        *map(told, changes[-1:]),
        remedy=_remedy(attempt),
        at=stamp(attempt.at),
    )
