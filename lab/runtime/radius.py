"""RADIUS servers as the plan has them, with the certificates that were issued for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.pki.authority import Credential
from lab.pki.revocation import revocation_list
from radius.freeradius import Authority, Client, Instance, Tls


def instance_of(options: Mapping[str, Any], credentials: Mapping[str, Credential]) -> Instance:
    """From the options and secrets of the service (lab.topology.radius)."""
    own = credentials.get(options["certificate"] or "")
    return Instance(
        address=options["address"],
        clients=tuple(Client(prefix, options["secret"]) for prefix in options["clients"]),
        users=options["users"],
        methods=tuple(options["methods"]),
        tls=Tls(own.chain_pem, own.key_pem) if own else None,
        authority=_authority(options, credentials),
    )


def _authority(
    options: Mapping[str, Any], credentials: Mapping[str, Credential]
) -> Authority | None:
    if options["authority"] is None:
        return None
    authority = credentials[options["authority"]]
    revoked = [credentials[name] for name in options["revoked"]]
    return Authority(authority.certificate_pem, revocation_list(authority, revoked))
