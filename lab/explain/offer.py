"""A protocol that the computer does not dial, or the gateway does not offer. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.explain import remedies
from lab.explain.document import by_radius, protocols_of
from lab.explain.model import Finding, failure, stamp

if TYPE_CHECKING:
    from lab.explain.attempt import Attempt
    from lab.explain.document import Document
    from lab.world import ClientComputer

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
    changes = [deed for deed in attempt.deeds if deed.verb == "update" and key in deed.text]
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
        *(f"at {stamp(deed.at)}: {deed.text}" for deed in changes[-1:]),
        remedy=_remedy(attempt),
        at=stamp(attempt.at),
    )
