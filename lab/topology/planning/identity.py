"""A gateway's identity: how Azure would name it, the same every time for the same file."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

_NAMESPACE = UUID("6f1b7f0e-5b0a-5d5c-9a36-3c1f6f2a9d11")


@dataclass(frozen=True)
class Identity:
    """How Azure would name a gateway: its id, and the name that clients dial."""

    gateway_id: str
    common_name: str
    """Of its server certificate, and what OpenVPN's verify-x509-name wants: not the FQDN."""
    fqdn: str


def identify(topology: str, gateway: str) -> Identity:
    """From the names of the topology and of the gateway in it."""
    gateway_id = uuid5(_NAMESPACE, f"{topology}/{gateway}")
    tail = uuid5(gateway_id, "fqdn").hex[:12]
    return Identity(
        str(gateway_id),
        f"{gateway_id}.vpn.azure.com",
        f"azuregateway-{gateway_id}-{tail}.vpn.azure.com",
    )
