"""strongswan.conf of the gateway's charon. Pure text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SITE_TO_SITE = "s2s-"
"""So begin the names of connections to sites."""

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


@dataclass(frozen=True)
class RelayAddress:
    """The RADIUS server that charon asks: the gateway itself."""

    port: int
    accounting_port: int
    secret: str = field(repr=False)


def strongswan_conf(state: Path, *, userspace: bool, relay: RelayAddress | None) -> str:
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


def _server(relay: RelayAddress | None) -> str:
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
