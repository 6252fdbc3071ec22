"""Configuration of charon: strongswan.conf as text, connections as vici messages. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.arm.placement import Placement
    from gateway.engine import Settings

# Azure's default order (azure-docs point-to-site-about): DH 24 (RFC 5114), 14, ECP384, ECP256.
# Debian's strongSwan 5.9.8 can do all of it (measured).
_GROUPS = ("modp2048s256", "modp2048", "ecp384", "ecp256")
_IKE = ("aes256gcm16-prfsha384", "aes256gcm16-prfsha256", "aes256-sha384", "aes256-sha256")
_ESP = ("aes256gcm16", "aes256-sha256")

IKE_PROPOSALS = (
    *(f"{suite}-{group}" for suite in _IKE for group in _GROUPS),
    "aes256-sha256-modp1024",  # Windows' default
)
ESP_PROPOSALS = (
    *("-".join(filter(None, (suite, group))) for suite in _ESP for group in ("", *_GROUPS)),
    "aes256-sha1",
)
DPD_DELAY = "30s"
"""Azure's is not documented for P2S."""


@dataclass(frozen=True)
class Relay:
    """The RADIUS server that charon asks: the gateway itself."""

    port: int
    accounting_port: int
    secret: str = field(repr=False)


CONNECTION = "p2s"
"""Name of the connection below."""

THREADS, THREADS_FOR_VICI = 96, 40
"""An IKE_AUTH (low priority) holds a thread while RADIUS is asked, an order (medium) while a peer
does not answer: vici_link.MOST_APART of these, and some must be left for everything else."""
COOKIE_THRESHOLD = 32
"""Half-open IKE_SAs from which on a source must show that it gets what is sent to it."""
BLOCK_THRESHOLD = 256
"""Half-open IKE_SAs of one source, as SSTP's: many clients may stand behind one NAT."""
MOST_HALF_OPEN = 1024
"""In all."""
HALF_OPEN_TIMEOUT = 45
"""Seconds. RADIUS may take 30 of them, for a second factor."""
MOST_JOBS = 1000
"""Packets that wait for a thread; further IKE_SA_INITs are dropped. The heartbeat waits behind
those that are there, about 1 ms each."""

_PLUGINS = (
    "random nonce openssl pem pkcs1 pkcs8 x509 pubkey constraints kdf hmac sha1 sha2 "
    "aes gcm socket-default {ipsec} kernel-netlink vici eap-identity eap-radius"
)


def strongswan_conf(state: Path, *, userspace: bool, relay: Relay | None) -> str:
    """strongswan.conf; it holds a secret.

    Rule 220 stands behind `main` because the routes are the gateway's own. A refused EAP client
    leaves a half-open IKE_SA, and charon's own threshold of five would shut out everybody behind
    the same NAT.
    """
    plugins = _PLUGINS.format(ipsec="kernel-libipsec" if userspace else "").replace("  ", " ")
    return f"""charon {{
  load = {plugins}
  load_modular = no
  threads = {THREADS}
  processor {{
    priority_threads {{
      medium = {THREADS_FOR_VICI}
    }}
  }}
  half_open_timeout = {HALF_OPEN_TIMEOUT}
  dos_protection = yes
  cookie_threshold = {COOKIE_THRESHOLD}
  block_threshold = {BLOCK_THRESHOLD}
  init_limit_half_open = {MOST_HALF_OPEN}
  init_limit_job_load = {MOST_JOBS}
  install_virtual_ip = no
  routing_table_prio = 40000
  close_ike_on_child_failure = yes
  retransmit_tries = 3
  retransmit_timeout = 1.0
  retransmit_base = 1.5
  filelog {{
    stdout {{
      time_format = %Y-%m-%dT%H:%M:%S
      time_add_ms = yes
      flush_line = yes
      default = 1
      ike_name = yes
    }}
  }}
  plugins {{
    vici {{
      socket = unix://{state / "vici.sock"}
    }}
    eap-radius {{
      accounting = yes
      accounting_requires_vip = yes
      accounting_send_class = yes
      station_id_with_port = no
      retransmit_tries = 1
      retransmit_timeout = 35.0
      servers {{{_server(relay)}
      }}
    }}
  }}
}}
charon-systemd {{
  journal {{
    default = -1
  }}
}}
"""


def _server(relay: Relay | None) -> str:
    if relay is None:
        return ""
    return f"""
        relay {{
          address = 127.0.0.1
          auth_port = {relay.port}
          acct_port = {relay.accounting_port}
          secret = {relay.secret}
          sockets = 48
        }}"""


def connection(
    placement: Placement, settings: Settings, server: bytes, *, encapsulate: bool
) -> dict[str, Any]:
    """load-conn: EAP, whatever its method; the relay answers (azure-docs
    point-to-site-vpn-client-configuration-azure-cert: eap-tls; point-to-site-radius-gateway).

    A client that proves itself by a plain certificate is refused: charon would have to judge it.
    `never`: two computers with one certificate are two sessions.
    """
    return {
        "version": "2",
        "local_addrs": [str(placement.publicIPAddress)],
        "remote_addrs": ["%any"],
        "encap": "yes" if encapsulate else "no",
        "pools": ["radius"],
        "proposals": list(IKE_PROPOSALS),
        "send_cert": "always",
        "dpd_delay": DPD_DELAY,
        "unique": "never",
        "fragmentation": "yes",
        "local": {"auth": "pubkey", "certs": [server], "id": placement.fqdn},
        "remote": {"auth": "eap-radius", "eap_id": "%any", "id": "%any"},
        "children": {
            "p2s": {
                "local_ts": [str(route) for route in settings.routes],
                "esp_proposals": list(ESP_PROPOSALS),
                "start_action": "none",
                "mode": "tunnel",
                "dpd_action": "clear",
            }
        },
    }
