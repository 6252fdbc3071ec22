"""The key that SSTP's crypto binding is made with (HLAK, [MS-SSTP] 3.2.5.2 and 3.3.5.2.3).

32 bytes, by method of authentication; both ends come to the same ones. Measured with pppd 2.4.9
and FreeRADIUS 3.2.1 where the form says "pppd".
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
    """`form` says whose reading of the specification gives this key; "none" is 32 zeros."""

    form: Form
    key: bytes = field(repr=False)


def from_mschapv2(client_send: bytes, client_receive: bytes) -> tuple[BindingKey, ...]:
    """MasterSendKey and MasterReceiveKey (RFC 3079 3.3) as the client names them, 16 bytes each."""
    return (BindingKey("specification", _exactly(client_send) + _exactly(client_receive)),)


def from_msk(msk: bytes) -> tuple[BindingKey, ...]:
    """EAP-TLS, 64 bytes of MSK (RFC 5216 2.3): what the specification says, what pppd takes."""
    if len(msk) != 64:
        raise ValueError(f"an MSK has 64 bytes, this one {len(msk)}")
    return (
        BindingKey("specification", msk[:KEY_LENGTH]),
        BindingKey("pppd", msk[:_HALF] + msk[KEY_LENGTH : KEY_LENGTH + _HALF]),
    )


def from_radius(receive: bytes, send: bytes, method: str) -> tuple[BindingKey, ...]:
    """MS-MPPE-Recv-Key and MS-MPPE-Send-Key (RFC 2548 2.4) in the clear.

    `method` is "MS-CHAPv2", "EAP-MSCHAPv2", "EAP-TLS", "PEAP" or another EAP method. Where a
    server gives no keys or short ones, none is returned: then no binding is accepted.
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
    """PAP, which has no keys. Never for a method that has."""
    return (BindingKey("none", bytes(KEY_LENGTH)),)


def _exactly(key: bytes) -> bytes:
    if len(key) != _HALF:
        raise ValueError(f"an MPPE key has {_HALF} bytes, this one {len(key)}")
    return key
