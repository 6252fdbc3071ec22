"""RADIUS servers and directories: what the plan says of them, with what the lab has by now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.nodes.base import Node
from lab.pki.authority import Credential
from lab.pki.revocation import revocation_list
from radius.directory import Domain
from radius.freeradius_instance import Authority, Client, Instance, Tls


def ready(
    role: str,
    options: Mapping[str, Any],
    nodes: Mapping[str, Node],
    credentials: Mapping[str, Credential],
) -> dict[str, Any]:
    """The options that the role takes (lab.roles.radius_server, lab.roles.directory)."""
    if role == "radius":
        kept = {word: options[word] for word in ("domain", "group", "factor", "deniers")}
        return {"instance": instance_of(options, credentials), **kept}
    members: dict[str, str] = options["members"]
    domain = Domain(
        options["realm"], tuple(options["users"]), tuple(members), options["lockoutThreshold"]
    )
    return {
        "domain": domain,
        "addresses": options["addresses"],
        "nodes": {name: nodes[node] for name, node in members.items()},
    }


def instance_of(options: Mapping[str, Any], credentials: Mapping[str, Credential]) -> Instance:
    """From the options and secrets of the service (lab.topology.planning.radius_servers)."""
    own = credentials.get(options["certificate"] or "")
    return Instance(
        address=options["address"],
        clients=tuple(Client(prefix, options["secret"]) for prefix in options["clients"]),
        users=options["users"],
        methods=tuple(options["methods"]),
        tls=Tls(own.chain_pem, own.key_pem) if own else None,
        authority=_authority(options, credentials),
        signs_all=options["signsAll"],
    )


def _authority(
    options: Mapping[str, Any], credentials: Mapping[str, Credential]
) -> Authority | None:
    if options["authority"] is None:
        return None
    authority = credentials[options["authority"]]
    revoked = [credentials[name] for name in options["revoked"]]
    return Authority(authority.certificate_pem, revocation_list(authority, revoked))
