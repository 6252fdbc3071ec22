"""The connection of point-to-site clients, as a vici message. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.arm.placement import Placement
    from gateway.engine import Settings

# Azure's default order (azure-docs point-to-site-about): DH 24 (RFC 5114), 14, ECP384, ECP256.
# Debian's strongSwan 5.9.8 can do all of it (measured).
_GROUPS = ("modp2048s256", "modp2048", "ecp384", "ecp256")
_IKE = ("aes256gcm16-prfsha384", "aes256gcm16-prfsha256", "aes256-sha384", "aes256-sha256")
_ESP = ("aes256gcm16", "aes256-sha256")

IKE_PROPOSALS = (
    *(f"{suite}-{group}" for suite in _IKE for group in _GROUPS),
    "aes256-sha256-modp1024",  # Windows' default
)
ESP_PROPOSALS = (
    *("-".join(filter(None, (suite, group))) for suite in _ESP for group in ("", *_GROUPS)),
    "aes256-sha1",
)
DPD_DELAY = "30s"
"""Azure's is not documented for P2S."""


CONNECTION = "p2s"
"""Name of the connection below."""


def connection(
    placement: Placement, settings: Settings, server: bytes, *, encapsulate: bool
) -> dict[str, Any]:
    """load-conn: EAP, whatever its method; the relay answers (azure-docs
    point-to-site-vpn-client-configuration-azure-cert: eap-tls; point-to-site-radius-gateway).

    A client that proves itself by a plain certificate is refused: charon would have to judge it.
    `never`: two computers with one certificate are two sessions.
    """
    return {
        "version": "2",
        "local_addrs": [str(placement.publicIPAddress)],
        "remote_addrs": ["%any"],
        "encap": "yes" if encapsulate else "no",
        "pools": ["radius"],
        "proposals": list(IKE_PROPOSALS),
        "send_cert": "always",
        "dpd_delay": DPD_DELAY,
        "unique": "never",
        "fragmentation": "yes",
        "local": {"auth": "pubkey", "certs": [server], "id": placement.fqdn},
        "remote": {"auth": "eap-radius", "eap_id": "%any", "id": "%any"},
        "children": {
            "p2s": {
                "local_ts": [str(route) for route in settings.routes],
                "esp_proposals": list(ESP_PROPOSALS),
                "start_action": "none",
                "mode": "tunnel",
                "dpd_action": "clear",
            }
        },
    }
