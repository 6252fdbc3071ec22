"""Configuration of a client's charon: strongswan.conf as text, the connection as vici's message."""

from __future__ import annotations

from typing import Any, Literal

from lab.clients.persona import IkePersona
from lab.clients.profile import Profile
from lab.clients.user import UserCertificate, UserPassword

IKE, CHILD = "azure", "vnet"
User = UserCertificate | UserPassword

_PLUGINS = (
    "random nonce openssl pem pkcs1 pkcs8 x509 pubkey constraints kdf hmac sha1 sha2 aes gcm "
    "socket-default {ipsec} kernel-netlink resolve vici eap-identity eap-tls eap-mschapv2"
)

QUICK = (2, 0.5, 1.5)
"""Retransmits, seconds before the first, and how many times longer each takes than the one before:
giving up takes 2.4 s (0.5, 0.75 and 1.125 s)."""
PATIENT = (50, 0.8, 1.0)
"""40 s: a gateway may wait 30 s for RADIUS. Who hears nothing at all gives up before (SILENCE)."""
SILENCE = 3
"""Retransmits of the first message after which nobody is there: 2.4 s."""


def strongswan_conf(
    directory: str, *, userspace: bool, patient: bool = False, slowness: float = 1.0
) -> str:
    """strongswan.conf. Windows takes longer to give up, but nobody is to wait for a firewall here;
    `resolve` writes the node's own resolv.conf. `slowness`: see gateway.common.turns."""
    tries, timeout, base = PATIENT if patient else QUICK
    plugins = _PLUGINS.format(ipsec="kernel-libipsec" if userspace else "").replace("  ", " ")
    return f"""charon {{
  load = {plugins}
  load_modular = no
  threads = 16
  retransmit_tries = {tries}
  retransmit_timeout = {timeout * (1 if patient else slowness):.2f}
  retransmit_base = {base}
  filelog {{
    stdout {{
      time_format = %H:%M:%S
      time_add_ms = yes
      flush_line = yes
      default = 1
      cfg = 0
    }}
  }}
  plugins {{
    vici {{
      socket = unix://{directory}/charon.vici
    }}
    resolve {{
      file = /etc/resolv.conf
    }}
  }}
}}
charon-systemd {{
  journal {{
    default = -1
  }}
}}
"""


def connection_message(
    profile: Profile, user: User, persona: IkePersona, *, encapsulate: bool
) -> dict[str, Any]:
    """load-conn: as Azure's own instructions for strongSwan say, with the persona's proposals.

    The gateway must prove the name that was dialled (`remote.id`) with a certificate that leads
    to the profile's root. A client never reconnects by itself (seed: "Auto-reconnect ... not
    supported"), so nothing restarts when DPD or the gateway closes it.
    """
    return {
        "version": "2",
        "remote_addrs": [profile.server],
        "vips": ["0.0.0.0"],
        "encap": "yes" if encapsulate else "no",
        "proposals": list(persona.ike),
        "fragmentation": "yes",
        "dpd_delay": "30s",
        "send_certreq": "no",
        "local": _local(profile, user),
        "remote": {"auth": "pubkey", "id": profile.server},
        "children": {
            CHILD: {
                "remote_ts": list(profile.routes),
                "esp_proposals": list(persona.esp),
                "start_action": "none",
                "close_action": "none",
                "dpd_action": "clear",
            }
        },
    }


def identity(kind: Literal["asn1dn", "email"], value: bytes) -> str:
    """An identity as bytes: of text charon would guess the kind, and take a name apart at commas
    and what else it knows."""
    return f"{kind}:#{value.hex()}"


def _local(profile: Profile, user: User) -> dict[str, Any]:
    """How the user signs in. With RADIUS it is EAP whatever the system, and EAP's own name is the
    user's; the TLS server is then the RADIUS server, known by its root alone. A certificate is
    found by that name: its subject, or the alternative name that those for RADIUS have."""
    if isinstance(user, UserPassword):
        return {"auth": "eap-mschapv2", "eap_id": identity("email", user.name.encode())}
    subject = identity("asn1dn", user.subject)
    local: dict[str, Any] = {"certs": [user.certificate_pem], "id": subject}
    if profile.radius_root:
        name = identity("email", user.common_name.encode())
        return local | {"auth": "eap-tls", "eap_id": name, "aaa_id": "%any"}
    return local | {"auth": "eap-tls", "eap_id": subject}
