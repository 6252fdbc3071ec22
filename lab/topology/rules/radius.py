"""RADIUS servers, directories, and the users who sign in."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.arm.secrets import secrets_in
from lab.choices import did_you_mean
from lab.topology.model.topology import Topology
from lab.topology.planning.radius_servers import password_of, radius_nodes, secrets_of_changes
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared
from radius.freeradius_sections import can_be_quoted
from radius.reasons import bare


def eap_tls_has_an_authority(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """A server with EAP-TLS names the authority of the user certificates."""
    for node in radius_nodes(topology):
        asked = "methods" in node.service.model_fields_set and "EAP-TLS" in node.service.methods
        if asked and node.service.certificates is None:
            yield Problem(
                (*node.path, "methods"),
                "EAP-TLS needs an authority for user certificates",
                "add `certificates: {authority: NAME}`, a key of `pki`",
            )


def authorities_exist(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The authority is a key of `pki` and has a private key to sign the revocation list."""
    for node in radius_nodes(topology):
        certificates = node.service.certificates
        if certificates is None:
            continue
        path = (*node.path, "certificates")
        authority = topology.pki.get(certificates.authority)
        if certificates.authority not in declared.pki:
            yield Problem(
                (*path, "authority"),
                f"there is no authority {certificates.authority!r}",
                did_you_mean(certificates.authority, declared.pki),
            )
        elif authority and authority.certificate and not authority.key:
            yield Problem(
                (*path, "authority"),
                f"{certificates.authority!r} cannot revoke: its private key is missing",
                f"add `key: FILE` to pki.{certificates.authority}",
            )
        for index, name in enumerate(certificates.revoked):
            client = topology.clients.get(name)
            if name not in declared.clients:
                remedy = did_you_mean(name, declared.clients)
                yield Problem((*path, "revoked", index), f"there is no client {name!r}", remedy)
            elif client and (
                client.certificate is None or client.certificate.issuer != certificates.authority
            ):
                yield Problem(
                    (*path, "revoked", index),
                    f"{name!r} has no certificate from {certificates.authority!r}",
                    f"give the client `certificate: {{issuer: {certificates.authority}}}`",
                )


def groups_need_a_directory(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Groups exist only in an Active Directory."""
    for node in radius_nodes(topology):
        site = topology.sites.get(node.site or "")
        if node.service.group and (site is None or site.directory is None):
            yield Problem(
                (*node.path, "group"),
                "only a site with an Active Directory has groups",
                "add `directory:` to the site, or leave `group` out",
            )


def users_have_a_password(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """A server knows the user's password, or the client has its own `password`."""
    for name, client in topology.clients.items():
        known = declared.whole("sites") and declared.whole("vnets")
        if known and client.user is not None and password_of(topology, client) is None:
            user = bare(client.user)
            servers = "a RADIUS server or a directory" if user == client.user else "a directory"
            yield Problem(
                ("clients", name, "user"),
                f"no RADIUS server or directory has the user {client.user!r}",
                f"add {user!r} to the users of {servers}, or give a `password`",
            )
        if client.password is not None and client.user is None:
            yield Problem(("clients", name, "password"), "a password without a user", "add `user:`")


def servers_are_in_ipv4(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Gateways ask them over IPv4 alone."""
    for vnet_name, vnet in topology.vnets.items():
        for name, host in vnet.hosts.items():
            subnet = vnet.subnets.get(host.subnet)
            if host.radius and subnet and subnet.version != 4:
                yield Problem(
                    ("vnets", vnet_name, "hosts", name, "subnet"),
                    f"{subnet} is IPv6, and gateways ask RADIUS servers over IPv4 alone",
                    "put the server into a subnet of IPv4",
                )


def secrets_can_be_written(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Azure accepts a few secrets that FreeRADIUS's configuration syntax cannot express."""
    nodes = list(radius_nodes(topology))
    given = {(*node.path, "secret"): node.service.secret for node in nodes}
    for name, gateway in topology.gateways.items() if nodes else ():
        path: Path = ("gateways", name, "properties", "vpnClientConfiguration")
        client = gateway.properties.vpnClientConfiguration
        given |= {(*path, *place): secret for place, secret in secrets_in(client)}
    if nodes:
        given |= {place: secret for place, _, secret in secrets_of_changes(topology)}
    for path, secret in given.items():
        if secret and not can_be_quoted(secret.get_secret_value()):
            yield Problem(
                path,
                "FreeRADIUS's configuration cannot express this shared secret",
                "use no backslash at its end or before a quote",
            )


def exceptions_have_an_effect(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Only a server that does not sign everything is in need of an exception."""
    for node in radius_nodes(topology):
        if "exception" in node.service.model_fields_set and node.service.signs == "all":
            yield Problem(
                (*node.path, "exception"),
                "the server signs all answers, so exception has no effect",
                "add `signs: eap`, or leave exception out",
            )


RULES = (
    exceptions_have_an_effect,
    eap_tls_has_an_authority,
    authorities_exist,
    groups_need_a_directory,
    users_have_a_password,
    servers_are_in_ipv4,
    secrets_can_be_written,
)
