"""The key of SSTP's crypto binding (HLAK, [MS-SSTP] 3.2.5.2 and 3.3.5.2.3).

32 bytes that depend on the authentication method; both ends derive the same key. The form "pppd"
was measured with pppd 2.4.9 and FreeRADIUS 3.2.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Form = Literal["specification", "pppd", "none"]

KEY_LENGTH = 32
_HALF = 16
_MSCHAPV2 = frozenset(("MS-CHAPv2", "EAP-MSCHAPv2"))


@dataclass(frozen=True)
class BindingKey:
    """`form`: whose interpretation of the specification yields this key; "none" is 32 zeros."""

    form: Form
    key: bytes = field(repr=False)


def from_mschapv2(client_send: bytes, client_receive: bytes) -> tuple[BindingKey, ...]:
    """From MasterSendKey and MasterReceiveKey (RFC 3079 3.3), the client's, 16 bytes each."""
    return (BindingKey("specification", _exactly(client_send) + _exactly(client_receive)),)


def from_msk(msk: bytes) -> tuple[BindingKey, ...]:
    """From EAP-TLS's 64-byte MSK (RFC 5216 2.3): the specification's key, and the one pppd uses."""
    if len(msk) != 64:
        raise ValueError(f"an MSK has 64 bytes, this one {len(msk)}")
    return (
        BindingKey("specification", msk[:KEY_LENGTH]),
        BindingKey("pppd", msk[:_HALF] + msk[KEY_LENGTH : KEY_LENGTH + _HALF]),
    )


def from_radius(receive: bytes, send: bytes, method: str) -> tuple[BindingKey, ...]:
    """From MS-MPPE-Recv-Key and MS-MPPE-Send-Key (RFC 2548 2.4) in cleartext.

    `method`: "MS-CHAPv2", "EAP-MSCHAPv2", "EAP-TLS", "PEAP" or another EAP method. If the server
    sends no keys or short ones, none is returned, and no binding is accepted.
    """
    if method in _MSCHAPV2 and len(receive) == len(send) == _HALF:
        return (BindingKey("specification", receive + send),)
    if len(receive) < KEY_LENGTH:
        return ()
    specified = BindingKey("specification", receive[:KEY_LENGTH])
    if method == "EAP-TLS" and len(send) >= _HALF:
        return (specified, BindingKey("pppd", receive[:_HALF] + send[:_HALF]))
    return (specified,)


def zeros() -> tuple[BindingKey, ...]:
    """For PAP, which has no keys. Never use it for other methods."""
    return (BindingKey("none", bytes(KEY_LENGTH)),)


def _exactly(key: bytes) -> bytes:
    if len(key) != _HALF:
        raise ValueError(f"an MPPE key has {_HALF} bytes, this one {len(key)}")
    return key
