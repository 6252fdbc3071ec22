"""Configuration of a client's charon: strongswan.conf as text, the connection as vici's message."""

from __future__ import annotations

from typing import Any

from lab.clients.persona import IkePersona
from lab.clients.profile import Profile
from lab.clients.user import UserCertificate

IKE, CHILD = "azure", "vnet"

_PLUGINS = (
    "random nonce openssl pem pkcs1 pkcs8 x509 pubkey constraints kdf hmac sha1 sha2 aes gcm "
    "socket-default {ipsec} kernel-netlink resolve vici eap-identity eap-tls"
)


def strongswan_conf(directory: str, *, userspace: bool) -> str:
    """strongswan.conf. Giving up takes 2.4 s (0.5, 0.75 and 1.125 s) where Windows takes longer,
    so that nobody waits for a firewall; `resolve` writes the node's own resolv.conf."""
    plugins = _PLUGINS.format(ipsec="kernel-libipsec" if userspace else "").replace("  ", " ")
    return f"""charon {{
  load = {plugins}
  load_modular = no
  threads = 16
  retransmit_tries = 2
  retransmit_timeout = 0.5
  retransmit_base = 1.5
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
    profile: Profile, user: UserCertificate, persona: IkePersona, *, encapsulate: bool
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
        "local": {
            "auth": persona.auth,
            "certs": [user.certificate_pem],
            "id": user.subject,
            **({"eap_id": user.subject} if persona.auth == "eap-tls" else {}),
        },
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
