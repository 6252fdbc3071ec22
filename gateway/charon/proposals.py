"""ARM's IPsec policies in charon's words. Pure.

Sources: azure-docs vpn-gateway-about-compliance-crypto (groups), strongSwan 5.9.8,
proposal_keywords_static.txt. The openssl plugin alone has all of these algorithms (list-algs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.arm.ipsec import IpsecPolicy

EARLY = 0.9
"""Fraction of a lifetime after which keys are renewed. charon begins up to the rest earlier, at
random, so it has between 0.8 and 0.9 of the lifetime."""

CIPHERS = {
    "None": "null",
    "DES": "des",
    "DES3": "3des",
    "AES128": "aes128",
    "AES192": "aes192",
    "AES256": "aes256",
    "GCMAES128": "aes128gcm16",
    "GCMAES192": "aes192gcm16",
    "GCMAES256": "aes256gcm16",
}
HASHES = {"MD5": "md5", "SHA1": "sha1", "SHA256": "sha256", "SHA384": "sha384"}
GROUPS = {
    "DHGroup1": "modp768",
    "DHGroup2": "modp1024",
    "DHGroup14": "modp2048",
    "DHGroup2048": "modp2048",
    "DHGroup24": "modp2048s256",
    "ECP256": "ecp256",
    "ECP384": "ecp384",
    "PFS1": "modp768",
    "PFS2": "modp1024",
    "PFS14": "modp2048",
    "PFS2048": "modp2048",
    "PFS24": "modp2048s256",
}


@dataclass(frozen=True)
class Proposals:
    """IKE and ESP proposals in strongSwan's notation, first choice first."""

    ike: tuple[str, ...]
    esp: tuple[str, ...]


def proposals(policy: IpsecPolicy) -> Proposals:
    """The only proposals of a policy that the rules accept.

    GCM protects integrity itself: `ikeIntegrity` is then the pseudo-random function alone. PFSMM is
    the group of the IKE SA ("main mode").
    """
    prf = "prf" if policy.ikeEncryption.startswith("GCM") else ""
    ike = (CIPHERS[policy.ikeEncryption], prf + HASHES[policy.ikeIntegrity], GROUPS[policy.dhGroup])
    pfs = policy.dhGroup if policy.pfsGroup == "PFSMM" else policy.pfsGroup
    esp = (CIPHERS[policy.ipsecEncryption], HASHES.get(policy.ipsecIntegrity), GROUPS.get(pfs))
    return Proposals(("-".join(ike),), ("-".join(filter(None, esp)),))


def lifetimes(seconds: int, kilobytes: int) -> dict[str, str]:
    """The part of a child's configuration by which its keys are replaced in time."""
    size = kilobytes * 1024
    return {
        "rekey_time": f"{round(seconds * EARLY)}s",
        "life_time": f"{seconds}s",
        "rekey_bytes": str(round(size * EARLY)),
        "life_bytes": str(size),
    }
