"""charon's connection for point-to-site clients, as a vici message. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.charon.proposals import Proposals, lifetimes, proposals

if TYPE_CHECKING:
    from gateway.arm.placement import Placement
    from gateway.engine import Settings

# Azure's default order (azure-docs point-to-site-about): DH 24 (RFC 5114), 14, ECP384, ECP256.
# Debian's strongSwan 5.9.8 supports all of these (measured).
_GROUPS = ("modp2048s256", "modp2048", "ecp384", "ecp256")
_IKE = ("aes256gcm16-prfsha384", "aes256gcm16-prfsha256", "aes256-sha384", "aes256-sha256")
_ESP = ("aes256gcm16", "aes256-sha256")

DEFAULT = Proposals(
    ike=(
        *(f"{suite}-{group}" for suite in _IKE for group in _GROUPS),
        "aes256-sha256-modp1024",  # Windows' default
    ),
    esp=(
        *("-".join(filter(None, (suite, group))) for suite in _ESP for group in ("", *_GROUPS)),
        "aes256-sha1",
    ),
)
DPD_DELAY = "30s"
"""Azure does not document its value for P2S."""


CONNECTION = "p2s"
"""Name of the connection below."""


def connection(
    placement: Placement, settings: Settings, server: bytes, *, encapsulate: bool
) -> dict[str, Any]:
    """load-conn with EAP; the relay chooses the method (azure-docs
    point-to-site-vpn-client-configuration-azure-cert: eap-tls; point-to-site-radius-gateway).

    Clients that authenticate by certificate without EAP are refused, because charon itself would
    have to verify them. `unique: never`: two computers may share one certificate. Lifetimes are
    documented only for an IPsec policy; without one they are charon's.
    """
    policy = settings.ipsec
    offered = proposals(policy) if policy else DEFAULT
    life = lifetimes(policy.saLifeTimeSeconds, policy.saDataSizeKilobytes) if policy else {}
    return {
        "version": "2",
        "local_addrs": [str(placement.publicIPAddress)],
        "remote_addrs": ["%any"],
        "encap": "yes" if encapsulate else "no",
        "pools": ["radius"],
        "proposals": list(offered.ike),
        "send_cert": "always",
        "dpd_delay": DPD_DELAY,
        "unique": "never",
        "fragmentation": "yes",
        "local": {"auth": "pubkey", "certs": [server], "id": placement.fqdn},
        "remote": {"auth": "eap-radius", "eap_id": "%any", "id": "%any"},
        "children": {
            "p2s": {
                "local_ts": [str(route) for route in settings.routes],
                "esp_proposals": list(offered.esp),
                **life,
                "start_action": "none",
                "mode": "tunnel",
                "dpd_action": "clear",
            }
        },
    }
