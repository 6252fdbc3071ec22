"""Configuration of a client's charon: strongswan.conf as text, the connection as a vici message."""

from __future__ import annotations

from typing import Any, Literal

from gateway.charon.proposals import Proposals
from lab.clients.profile import Profile
from lab.clients.user import NoCredentials, User, UserPassword
from lab.topology.planning.plan import TlsLimits

IKE, CHILD = "azure", "vnet"

_PLUGINS = (
    "random nonce openssl pem pkcs1 pkcs8 x509 pubkey constraints kdf hmac sha1 sha2 aes gcm "
    "socket-default {ipsec} kernel-netlink resolve vici eap-identity eap-tls eap-mschapv2"
)

QUICK = (2, 0.5, 1.5)
"""Retransmits, seconds before the first one, and the factor between them: charon gives up after
2.4 s (0.5, 0.75 and 1.125 s)."""
PATIENT = (50, 0.8, 1.0)
"""40 s: a gateway may wait 30 s for RADIUS. Without any answer the driver gives up earlier
(SILENCE)."""
SILENCE = 3
"""Retransmits of the first message after which the gateway counts as unreachable: 2.4 s."""


def strongswan_conf(
    directory: str,
    *,
    userspace: bool,
    tls: TlsLimits,
    patient: bool = False,
    slowness: float = 1.0,
) -> str:
    """strongswan.conf. Windows gives up later, but a lab should not wait long for a firewall. The
    plugin `resolve` writes the node's resolv.conf. `slowness`: see gateway.common.turns. The log:
    see gateway.charon.config."""
    tries, timeout, base = PATIENT if patient else QUICK
    plugins = _PLUGINS.format(ipsec="kernel-libipsec" if userspace else "").replace("  ", " ")
    return f"""charon {{
  load = {plugins}
  load_modular = no
  threads = 16
  retransmit_tries = {tries}
  retransmit_timeout = {timeout * (1 if patient else slowness):.2f}
  retransmit_base = {base}
{_tls(tls)}
  filelog {{
    stderr {{
      time_format = %H:%M:%S
      time_add_ms = yes
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


def _tls(limits: TlsLimits) -> str:
    """The computer's TLS, in EAP-TLS: 1.2 alone (the seed), unless it is an old computer's."""
    newest = limits.maximum or "1.2"
    oldest = "1.0" if limits.maximum else "1.2"
    suites = f"\n    suites = {', '.join(limits.ciphers)}" if limits.ciphers else ""
    return f"  tls {{\n    version_min = {oldest}\n    version_max = {newest}{suites}\n  }}"


def connection_message(
    profile: Profile, user: User, offered: Proposals, *, encapsulate: bool
) -> dict[str, Any]:
    """load-conn, following Azure's instructions for strongSwan, with these proposals.

    The gateway must prove the dialled name (`remote.id`) with a certificate that chains to the
    profile's root. A client never reconnects by itself (seed: "Auto-reconnect ... not
    supported"), so nothing restarts after DPD or the gateway closes the connection.
    """
    return {
        "version": "2",
        "remote_addrs": [profile.server],
        "vips": ["0.0.0.0"],
        "encap": "yes" if encapsulate else "no",
        "proposals": list(offered.ike),
        "fragmentation": "yes",
        "dpd_delay": "30s",
        "send_certreq": "no",
        "local": _local(profile, user),
        "remote": {"auth": "pubkey", "id": profile.identity or profile.server},
        "children": {
            CHILD: {
                "remote_ts": list(profile.routes),
                "esp_proposals": list(offered.esp),
                "start_action": "none",
                "close_action": "none",
                "dpd_action": "clear",
            }
        },
    }


def identity(name: str, kind: Literal["dns", "email"] = "dns") -> str:
    """A user's name as bytes: from text, charon would guess the kind. It takes no more than 511
    characters, and with `dns` all names of RADIUS have room (253 bytes). A principal name in a
    certificate is of the kind `email`."""
    return f"{kind}:#{name.encode().hex()}"


def _local(profile: Profile, user: User) -> dict[str, Any]:
    """How the user authenticates. With RADIUS, always by EAP, and the EAP identity is the user's
    name; the TLS server is then the RADIUS server, verified only by its root. charon finds the
    certificate by its identity: the alternative name of certificates for RADIUS, or else the
    subject, which charon takes from the certificate itself."""
    if isinstance(user, UserPassword):
        return {"auth": "eap-mschapv2", "eap_id": identity(user.name)}
    if isinstance(user, NoCredentials):
        return {"auth": "eap-tls", "id": identity(user.name), "aaa_id": "%any"}
    local: dict[str, Any] = {"auth": "eap-tls", "certs": [user.certificate_pem]}
    if profile.radius_root:
        return local | {"eap_id": identity(user.common_name, "email"), "aaa_id": "%any"}
    return local
