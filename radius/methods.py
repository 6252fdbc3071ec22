"""The authentication methods that the lab's RADIUS servers support."""

from __future__ import annotations

from typing import Literal

Method = Literal["PAP", "MS-CHAPv2", "EAP-MSCHAPv2", "EAP-TLS", "PEAP"]
"""PAP (RFC 2865), MS-CHAPv2 (RFC 2548), the same within EAP, EAP-TLS (RFC 5216), and PEAP with
EAP-MSCHAPv2 inside."""
