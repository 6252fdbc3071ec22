"""A plan for people and programs: what `up --dry-run` prints. Secrets are not in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from lab.choices import counted
from lab.topology.model.steps import text_of
from lab.topology.planning.specs import is_secret

if TYPE_CHECKING:
    from lab.topology.planning.plan import (
        Cable,
        CertificatePlan,
        End,
        GatewayPlan,
        NodePlan,
        Plan,
        Route,
    )
    from lab.topology.planning.specs import ServiceSpec


def describe(plan: Plan) -> dict[str, Any]:
    """The plan as JSON data, in the order in which it is carried out."""
    return {
        "name": plan.name,
        "story": plan.story,
        "nodes": [_node(node, plan) for node in plan.nodes],
        "links": [_link(link) for link in plan.links],
        "certificates": [_certificate(certificate) for certificate in plan.certificates],
        "gateways": [_gateway(gateway) for gateway in plan.gateways],
        "clients": [
            {
                "name": client.name,
                "os": str(client.system),
                "behind": client.access,
                "dials": client.gateway,
                "protocols": list(client.protocols),
                "certificate": client.certificate,
                "user": client.user,
                "proxy": client.proxy and f"{client.proxy[0]}:{client.proxy[1]}",
            }
            for client in plan.clients
        ],
        "faults": [text_of(fault) for fault in plan.faults],
        "steps": [text_of(step) for step in plan.steps],
    }


def as_text(plan: Plan) -> str:
    """The same, to be read."""
    data = describe(plan)
    sections = [
        (counted(len(data["nodes"]), "node"), [_node_line(node) for node in data["nodes"]]),
        (
            counted(len(data["links"]), "link"),
            [f"{link['a']}  {link['b']}" for link in data["links"]],
        ),
        ("certificates", [_certificate_line(line) for line in data["certificates"]]),
        ("gateways", [_gateway_line(gateway) for gateway in data["gateways"]]),
        ("connections", [line for gateway in data["gateways"] for line in _connections(gateway)]),
        ("clients", [_client_line(client) for client in data["clients"]]),
        ("faults", data["faults"]),
        ("then", [f"{number}. {step}" for number, step in enumerate(data["steps"], 1)]),
    ]
    lines = [f"{data['name']}: {data['story']}"]
    for title, rows in sections:
        lines += [title, *(f"  {row}" for row in rows)] if rows else []
    return "\n".join(lines)


def _route(route: Route) -> str:
    metric = f" metric {route.metric}" if route.metric else ""
    return f"{route.destination} via {route.via}{metric}"


def _tables(node: NodePlan) -> dict[str, list[str]]:
    """By the subnet whose packets they are for."""
    return {
        table.subnet: [
            " ".join(filter(None, (route.destination, route.kind, route.via, route.name)))
            for route in table.routes
        ]
        for table in node.route_tables
    }


def _node(node: NodePlan, plan: Plan) -> dict[str, Any]:
    return {
        "name": node.name,
        "kind": node.kind,
        "address": plan.addresses.get(node.name),
        "bridges": {bridge.name: list(bridge.addresses) for bridge in node.bridges},
        "loopback": list(node.loopback),
        "routes": [_route(route) for route in node.routes],
        **({"routeTables": _tables(node)} if node.route_tables else {}),
        "forwarding": node.forwarding,
        "nftables": node.nftables,
        "nameservers": list(node.nameservers),
        "services": [_service(service) for service in node.services],
        "needs": list(node.needs),
    }


def _service(spec: ServiceSpec) -> dict[str, Any]:
    """The role and its options, without secrets."""
    shown = [part.name for part in fields(spec) if not is_secret(part)]
    return {"role": spec.role, **{_camel(name): _json(getattr(spec, name)) for name in shown}}


def _camel(name: str) -> str:
    return re.sub("_([a-z])", lambda found: found[1].upper(), name)


def _json(value: Any) -> Any:
    """TypeError for what is not plain data: it might have a secret in it."""
    if isinstance(value, Mapping):
        return {key: _json(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return [_json(part) for part in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a plan does not print a {type(value).__name__}")


def _gateway(gateway: GatewayPlan) -> dict[str, Any]:
    placement = gateway.placement
    return {
        "name": gateway.name,
        "fqdn": placement.fqdn,
        "publicIPAddress": str(placement.publicIPAddress),
        "privateIPAddress": str(placement.privateIPAddress),
        "properties": gateway.resource.document()["properties"],
        "localNetworkGateways": [local.document() for local in gateway.local_network_gateways],
        "connections": [connection.document() for connection in gateway.connections],
    }


def _link(link: Cable) -> dict[str, Any]:
    return {"a": _end(link.a), "b": _end(link.b), "mtu": link.mtu}


def _end(end: End) -> str:
    where = f" in {end.bridge}" if end.bridge else ""
    return " ".join([f"{end.node}:{end.interface}{where}", *end.addresses])


def _certificate(certificate: CertificatePlan) -> dict[str, Any]:
    return {
        "name": certificate.name,
        "kind": certificate.kind,
        "issuer": certificate.issuer,
        "valid": f"{-certificate.days_before:+d}d to {certificate.days_after:+d}d",
        "clientAuth": certificate.client_auth,
        "file": certificate.certificate_file,
    }


def _node_line(node: dict[str, Any]) -> str:
    roles = ", ".join(service["role"] for service in node["services"])
    address = node["address"] or ""
    filtered = "  firewall" if node["nftables"] and "policy drop" in node["nftables"] else ""
    needs = f"  needs {', '.join(node['needs']).upper()} of its kernel" if node["needs"] else ""
    return f"{node['name']:<16} {node['kind']:<9} {address:<16} {roles}{filtered}{needs}".rstrip()


def _certificate_line(certificate: dict[str, Any]) -> str:
    by = f"issued by {certificate['issuer']}" if certificate["issuer"] else "self-signed"
    source = f"from {certificate['file']}" if certificate["file"] else certificate["valid"]
    unfit = certificate["kind"] == "client" and not certificate["clientAuth"]
    purpose = "  no clientAuth" if unfit else ""
    return f"{certificate['name']:<24} {certificate['kind']:<12} {by}, {source}{purpose}"


def _gateway_line(gateway: dict[str, Any]) -> str:
    client = gateway["properties"].get("vpnClientConfiguration") or {}
    pool = ", ".join(client.get("vpnClientAddressPool", {}).get("addressPrefixes", []))
    offers = ", ".join(client.get("vpnClientProtocols", [])) or "no point-to-site"
    return f"{gateway['name']:<16} {gateway['fqdn']}  {offers}  pool {pool}"


def _connections(gateway: dict[str, Any]) -> Iterator[str]:
    sites = {local["name"]: local["properties"] for local in gateway["localNetworkGateways"]}
    for connection in gateway["connections"]:
        there = sites.get(connection["name"])
        if there is None:
            other = connection["properties"]["virtualNetworkGateway2"]["id"].rsplit("/", 1)[-1]
            yield f"{connection['name']:<16} {gateway['name']} to {other}"
            continue
        prefixes = ", ".join(there["localNetworkAddressSpace"]["addressPrefixes"])
        device = there["gatewayIpAddress"]
        yield f"{connection['name']:<16} {gateway['name']} to {device}: {prefixes}"


def _client_line(client: dict[str, Any]) -> str:
    proxy = f"  through the proxy {client['proxy']}" if client["proxy"] else ""
    order = ", ".join(client["protocols"])
    return (
        f"{client['name']:<16} {client['os']} behind {client['behind']}"
        f" dials {client['dials']}: {order}{proxy}"
    )
