"""strongswan.conf for the gateway's charon. Pure text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SITE_TO_SITE = "s2s-"
"""Prefix of the names of site-to-site connections."""

THREADS, THREADS_FOR_VICI = 96, 40
"""An IKE_AUTH (low priority) occupies a thread while it waits for RADIUS, a vici command (medium)
while it waits for a peer: up to vici_link.MOST_APART of these, so some are left for the rest."""
COOKIE_THRESHOLD = 32
"""Number of half-open IKE_SAs, in all or of one source, from which on initiators must return a
cookie."""
BLOCK_THRESHOLD = 256
"""Maximum half-open IKE_SAs per source, as for SSTP: many clients may be behind one NAT."""
MOST_HALF_OPEN = 1024
"""Maximum half-open IKE_SAs in all."""
HALF_OPEN_TIMEOUT = 45
"""Seconds. RADIUS may take 30 of these, for a second factor."""
MOST_JOBS = 1000
"""Packets waiting for a thread; beyond that, IKE_SA_INITs are dropped. The heartbeat waits behind
the queue, about 1 ms per packet."""

_PLUGINS = (
    "random nonce openssl pem pkcs1 pkcs8 x509 pubkey constraints kdf hmac sha1 sha2 "
    "aes gcm socket-default {ipsec} kernel-netlink vici eap-identity eap-radius"
)


@dataclass(frozen=True)
class RelayAddress:
    """The RADIUS server in charon's configuration: the gateway's own relay."""

    port: int
    accounting_port: int
    secret: str = field(repr=False)


def strongswan_conf(state: Path, *, userspace: bool, relay: RelayAddress | None) -> str:
    """strongswan.conf; it contains a secret.

    Routing rule 220 comes after `main` because the gateway installs the routes. A refused EAP
    client leaves a half-open IKE_SA; with charon's default block_threshold of five, refusals would
    lock out everybody behind the same NAT. The log is standard output by its path, because charon
    flushes lines of files alone.
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
  cookie_threshold_ip = {COOKIE_THRESHOLD}
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
    stderr {{
      time_format = %Y-%m-%dT%H:%M:%S
      time_add_ms = yes
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
      station_id_with_port = yes
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
