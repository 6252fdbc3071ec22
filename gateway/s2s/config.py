"""charon's configuration of a site-to-site tunnel, as vici messages. Pure.

Azure's defaults for RouteBased gateways (azure-docs vpn-gateway-about-vpn-devices): IKEv2 with a
pre-shared key and group 2, an IKE_SA of 28,800 s; ESP without PFS, 27,000 s or 102,400,000 KB.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.charon.config import SITE_TO_SITE
from gateway.charon.proposals import EARLY, Proposals, lifetimes, proposals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address, IPv4Network

    from pydantic import SecretStr

    from gateway.arm.ipsec import IpsecPolicy

DEFAULT = Proposals(
    ike=tuple(
        f"{cipher}-{integrity}-modp1024"
        for cipher in ("aes256", "aes128", "3des")
        for integrity in ("sha1", "sha256")
    ),
    esp=(
        "aes256gcm16",
        "aes256-sha1",
        "3des-sha1",
        "aes256-sha256",
        "aes128-sha1",
        "3des-sha256",
    ),
)
IKE_LIFE, ESP_LIFE = 28_800, 27_000
"""Seconds. A policy does not change that of the IKE_SA (azure-docs
vpn-gateway-ipsecikepolicy-rm-powershell)."""
ESP_KILOBYTES = 102_400_000
RETRANSMITS = 8
"""Seconds for which charon retransmits a request before it gives up (see strongswan.conf)."""


@dataclass(frozen=True)
class Tunnel:
    """One connection together with its local network gateway."""

    name: str
    peer: IPv4Address
    """The public address of the other VPN device."""
    prefixes: tuple[IPv4Network, ...]
    """The prefixes behind that device."""
    local: tuple[IPv4Network, ...]
    """The prefixes on this side: the VNet's and those of point-to-site clients."""
    dpd_timeout: int
    initiates: bool
    key: SecretStr = field(repr=False)
    policy: IpsecPolicy | None = None
    """Its only algorithms; None: Azure's default ones."""

    @property
    def connection(self) -> str:
        """The connection's name in charon."""
        return f"{SITE_TO_SITE}{self.name}"


def shared_key(tunnel: Tunnel, public: IPv4Address) -> dict[str, Any]:
    """load-shared; the message contains a secret."""
    return {
        "id": tunnel.connection,
        "type": "IKE",
        "data": tunnel.key.get_secret_value(),
        "owners": [str(tunnel.peer), str(public)],
    }


def connection(tunnel: Tunnel, public: IPv4Address, *, userspace: bool) -> dict[str, Any]:
    """load-conn.

    Azure's RouteBased gateways negotiate any-to-any selectors and route by prefix. Here the
    selectors are the prefixes, because kernel-libipsec selects tunnels by policy, and identical
    policies could not distinguish several sites. The effect on traffic is the same.

    The gateway itself re-establishes a lost tunnel (gateway.s2s.keeper), so charon does not. Until
    a tunnel is up, a trap policy of kernel ESP holds packets back; kernel-libipsec has no traps and
    drops them.
    """
    policy = tunnel.policy
    offered = proposals(policy) if policy else DEFAULT
    life = (
        lifetimes(policy.saLifeTimeSeconds, policy.saDataSizeKilobytes)
        if policy
        else lifetimes(ESP_LIFE, ESP_KILOBYTES)
    )
    child = {
        "local_ts": _texts(tunnel.local),
        "remote_ts": _texts(tunnel.prefixes),
        "esp_proposals": list(offered.esp),
        "mode": "tunnel",
        "start_action": "none" if userspace else "trap",
        "dpd_action": "clear",
        "close_action": "none",
        **life,
    }
    rekey = round(IKE_LIFE * EARLY)
    return {
        "version": "2",
        "local_addrs": [str(public)],
        "remote_addrs": [str(tunnel.peer)],
        "encap": "yes" if userspace else "no",
        "proposals": list(offered.ike),
        "rekey_time": f"{rekey}s",
        "over_time": f"{IKE_LIFE - rekey}s",
        "dpd_delay": f"{max(1, tunnel.dpd_timeout - RETRANSMITS)}s",
        "unique": "replace",
        "keyingtries": "1",
        "local": {"auth": "psk", "id": str(public)},
        "remote": {"auth": "psk", "id": str(tunnel.peer)},
        "children": {tunnel.connection: child},
    }


def _texts(prefixes: Sequence[IPv4Network]) -> list[str]:
    return [str(prefix) for prefix in prefixes]
