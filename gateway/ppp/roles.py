"""Makes the protocols above LCP for an end of a link from its configuration."""

from __future__ import annotations

from ipaddress import IPv4Address

from gateway.ppp.authentication import Authentication
from gateway.ppp.chap import ChapClient, ChapServer
from gateway.ppp.config import ClientConfig, Method, ServerConfig
from gateway.ppp.eap_server import PassThrough
from gateway.ppp.ipcp import ClientIpcp, ServerIpcp
from gateway.ppp.pap import PapClient, PapServer
from gateway.ppp.wire import Wire

_EAP_OVERHEAD = 10
"""Bytes of EAP's header, type, flags and length before a TLS fragment."""
_LONGEST_PIECE = 1300
"""Bytes, like the Framed-MTU that Azure sends to RADIUS servers."""


def make_authentication(
    config: ServerConfig | ClientConfig, wire: Wire, method: Method, peer_mru: int
) -> Authentication:
    """Make the authentication protocol that LCP has agreed on."""
    if isinstance(config, ServerConfig):
        return _server(config, wire, method, peer_mru)
    fragment = min(peer_mru - _EAP_OVERHEAD, _LONGEST_PIECE)
    return _client(config, wire, method, fragment)


def make_ipcp(
    config: ServerConfig | ClientConfig, wire: Wire, address: IPv4Address | None
) -> ServerIpcp | ClientIpcp:
    """Make IPCP. `address`: the verdict's address, at the server's end."""
    if isinstance(config, ServerConfig):
        assert address is not None
        local = config.local_address
        return ServerIpcp(wire, local=local, peer=address, dns=config.dns, wins=config.wins)
    return ClientIpcp(wire, ask_dns=config.ask_dns, ask_wins=config.ask_wins)


def _server(config: ServerConfig, wire: Wire, method: Method, peer_mru: int) -> Authentication:
    if method == "MS-CHAPv2":
        return ChapServer(wire, config.name)
    if method == "PAP":
        return PapServer(wire)
    return PassThrough(wire, peer_mru)


def _client(config: ClientConfig, wire: Wire, method: Method, fragment: int) -> Authentication:
    if method == "MS-CHAPv2":
        return ChapClient(wire, config.user, config.password)
    if method == "PAP":
        return PapClient(wire, config.user, config.password)
    return _eap_client(config, wire, fragment)


def _eap_client(config: ClientConfig, wire: Wire, fragment: int) -> Authentication:
    from gateway.ppp import eap_client  # noqa: PLC0415 - pyOpenSSL, which no server needs

    method: eap_client.EapMethod
    if config.eap_tls:
        method = eap_client.TlsMethod(config.eap_tls, fragment)
    else:
        method = eap_client.MsChapV2Method(config.user, config.password, wire.entropy)
    return eap_client.EapClient(wire, config.user, method)
