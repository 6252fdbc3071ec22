"""ARM's IpsecPolicy: the only algorithms of a connection, or of the point-to-site clients.

Source: Microsoft.Network, API 2023-09-01, IpsecPolicy. All eight fields are required. Words are
compared without regard to case, as ARM does, and returned in ARM's own spelling.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from gateway.arm.model import ArmModel

MOST = 2**31 - 1
"""ARM's numbers are signed and have 32 bits."""

_IkeEncryption = Literal["DES", "DES3", "AES128", "AES192", "AES256", "GCMAES128", "GCMAES256"]
_IkeIntegrity = Literal["MD5", "SHA1", "SHA256", "SHA384", "GCMAES128", "GCMAES256"]
_IpsecEncryption = Literal[
    "None", "DES", "DES3", "AES128", "AES192", "AES256", "GCMAES128", "GCMAES192", "GCMAES256"
]
_IpsecIntegrity = Literal["MD5", "SHA1", "SHA256", "GCMAES128", "GCMAES192", "GCMAES256"]
_DhGroup = Literal[
    "None", "DHGroup1", "DHGroup2", "DHGroup14", "DHGroup2048", "DHGroup24", "ECP256", "ECP384"
]
_PfsGroup = Literal[
    "None", "PFS1", "PFS2", "PFS14", "PFS2048", "PFS24", "ECP256", "ECP384", "PFSMM"
]


def any_case(words: object) -> BeforeValidator:
    """Accept the words of a Literal in any case."""
    spelling = {word.lower(): word for word in get_args(words)}
    return BeforeValidator(
        lambda value: spelling.get(value.lower(), value) if isinstance(value, str) else value
    )


class IpsecPolicy(ArmModel):
    """The algorithms and lifetimes that are agreed on, and no others."""

    saLifeTimeSeconds: int = Field(le=MOST)
    """After how many seconds, at the latest, the keys of the IPsec SA are replaced."""
    saDataSizeKilobytes: int = Field(le=MOST)
    """After how many KiB, at the latest, the keys of the IPsec SA are replaced."""
    ipsecEncryption: Annotated[_IpsecEncryption, any_case(_IpsecEncryption)]
    ipsecIntegrity: Annotated[_IpsecIntegrity, any_case(_IpsecIntegrity)]
    ikeEncryption: Annotated[_IkeEncryption, any_case(_IkeEncryption)]
    ikeIntegrity: Annotated[_IkeIntegrity, any_case(_IkeIntegrity)]
    dhGroup: Annotated[_DhGroup, any_case(_DhGroup)]
    pfsGroup: Annotated[_PfsGroup, any_case(_PfsGroup)]


def _null_is_none(value: Any) -> Any:
    return () if value is None else value


IpsecPolicies = Annotated[tuple[IpsecPolicy, ...], BeforeValidator(_null_is_none)]
"""ARM has a list; null is an empty one."""
