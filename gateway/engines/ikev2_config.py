"""Configuration of charon: strongswan.conf as text, connections as vici messages. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network
    from pathlib import Path

    from gateway.engines.base import Settings
    from gateway.placement import Placement

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
    secret: str = field(repr=False)


RADIUS = "p2s-eap-radius"
CONNECTIONS = ("p2s-certificate", "p2s-eap-tls", RADIUS)
"""Names of the connections below."""

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
    "random nonce openssl pem pkcs1 pkcs8 x509 pubkey constraints revocation kdf hmac sha1 sha2 "
    "aes gcm socket-default {ipsec} kernel-netlink vici eap-identity eap-tls eap-radius curl"
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
    revocation {{
      timeout = 2s
    }}
    eap-radius {{
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
          secret = {relay.secret}
          sockets = 48
        }}"""


def pool_name(part: IPv4Network) -> str:
    """A pool per prefix: charon refuses to change one that has leases."""
    return f"p2s-{part.network_address}-{part.prefixlen}"


def pools(settings: Settings) -> dict[str, Any]:
    """load-pool messages by name."""
    dns = [str(server) for server in settings.dns]
    return {
        pool_name(part): {"addrs": str(part), **({"dns": dns} if dns else {})}
        for part in settings.pool
    }


def authority(certificate: bytes, ocsp_uris: Sequence[str]) -> dict[str, Any]:
    """load-authority: whom to ask about certificates that this one issued."""
    return {"cacert": certificate, "ocsp_uris": list(ocsp_uris)}


def connections(
    placement: Placement,
    settings: Settings,
    server: bytes,
    roots: Sequence[bytes],
    *,
    encapsulate: bool,
) -> dict[str, dict[str, Any]]:
    """load-conn messages by name: plain certificates and EAP-TLS; with RADIUS EAP alone, whatever
    its method (azure-docs point-to-site-radius-gateway).

    charon takes the first and switches to the second when the client sends no AUTH payload, as
    RFC 7296 2.16 says for EAP. Revocation is `relaxed`: with `strict` a client certificate whose
    issuer is an intermediate is refused unless charon knew the intermediate beforehand, and
    Azure is given the root only. That no session lives without the gate's word is seen to by
    `ikev2.py`.
    """
    children = {
        "p2s": {
            "local_ts": [str(route) for route in settings.routes],
            "esp_proposals": list(ESP_PROPOSALS),
            "start_action": "none",
            "mode": "tunnel",
            "dpd_action": "clear",
        }
    }
    common = {
        "version": "2",
        "local_addrs": [str(placement.publicIPAddress)],
        "remote_addrs": ["%any"],
        "encap": "yes" if encapsulate else "no",
        "pools": [pool_name(part) for part in settings.pool],
        "proposals": list(IKE_PROPOSALS),
        "send_cert": "always",
        "send_certreq": "yes",
        "dpd_delay": DPD_DELAY,
        "unique": "no",
        "fragmentation": "yes",
        "local": {"auth": "pubkey", "certs": [server], "id": placement.fqdn},
        "children": children,
    }
    if settings.radius:
        user = {"auth": "eap-radius", "eap_id": "%any", "id": "%any"}
        return {RADIUS: {**common, "remote": user}}
    remote = {"cacerts": list(roots), "revocation": "relaxed", "id": "%any"}
    return {
        "p2s-certificate": {**common, "remote": {**remote, "auth": "pubkey"}},
        "p2s-eap-tls": {**common, "remote": {**remote, "auth": "eap-tls", "eap_id": "%any"}},
    }
