"""Topologies that are made up from a seed: small, with unusual values where any are allowed.

Some are refused; what is accepted must be possible to build.
"""

from __future__ import annotations

from random import Random
from typing import Any, TypeVar

import yaml

from lab.topology.model.persona import SYSTEMS
from lab.topology.model.site_services import RadiusService
from lab.topology.model.vocabulary import Serves
from radius.methods import Method

T = TypeVar("T")

NAMES = ("a", "0", "web-1", "x" * 40, "dns", "radius", "nps1", "lan", "wan", "er-a")
SECRETS = ("s", "it's", 'say "x"', "a\\b", "ends\\", "a\\'b", "$(id) `id` %{x}", "#;{}", " ", "ü",
           "x" * 128, "}", "/*", "%", "\\\\", "'''", "${x}", "a,b=c")  # fmt: skip
PASSWORDS = (*SECRETS, "Spring.2019", "Ünïcödé-7", "Pass word 1", 'Quo"te\'s-1', "漢字Aa1漢字漢字",
             "{braces}A1", "-Dash.1aaa", "\\Back\\Slash1")  # fmt: skip
USERS = ("alice", "0", "A.b-c_d", "x" * 20, "vpn", "Administrator", "root", "NPS1")
SUBJECTS = ("Alice Example", "CN=evil,O=x", "a/b", "O'Brien", 'the "boss"', "ü" * 32, "${x}", "*",
            "a\\,b", "-x", "alice@corp.test", " spaces ", "%s")  # fmt: skip
ALLOWED = ("tcp/443", "tcp/80", "udp/53", "udp/500", "udp/4500", "icmp", "esp", "ah", "gre")
SERVES = Serves.__args__
METHODS = Method.__args__


class Maker:
    """One topology."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._names = self._random.sample(NAMES, len(NAMES))

    def text(self) -> str:
        """As a file has it."""
        return yaml.safe_dump(self.document(), sort_keys=False, allow_unicode=True)

    def document(self) -> dict[str, Any]:
        """As data."""
        radius = self._often()
        server = "10.1.1.10"
        site = self._site() if radius or self._rarely() else None
        if site and site.get("radius"):
            server = "192.168.50.10"
        users = ["alice"] if radius else []
        hosts: dict[str, Any] = {"app1": {"subnet": "app", "serves": self._some(SERVES)}}
        if self._rarely():
            hosts[self._name()] = {"subnet": "app"}
        if radius and server == "10.1.1.10":
            hosts["nps"] = {"subnet": "app", "address": server, "radius": self._radius()}
        protocols = self._pick(
            [["IkeV2"], ["SSTP"], ["IkeV2", "SSTP"]]
            + ([] if radius else [["OpenVPN"], ["IkeV2", "OpenVPN"]])
        )
        vnet: dict[str, Any] = {
            "addressSpace": self._pick([["10.1.0.0/16"], ["10.1.0.0/16", "10.200.0.0/29"]]),
            "subnets": {"GatewaySubnet": self._pick(["10.1.255.0/27", "10.1.255.0/29"]),
                        "app": "10.1.1.0/24"},
            "hosts": hosts,
        }  # fmt: skip
        if self._rarely():
            vnet["dhcpOptions"] = {"dnsServers": self._some(("10.1.1.53", "8.8.8.8"))}
        document: dict[str, Any] = {
            "name": self._name(),
            "story": self._pick(SUBJECTS),
            "vnets": {"contoso": vnet},
            "gateways": {"contoso-gw": self._gateway(protocols, server if radius else None)},
            "access": {"home": self._access()},
            "pki": {"contoso-root": self._authority()},
            "clients": {"alice": self._client(protocols, users)},
            "expect": [{"connects": "alice"}],
        }
        if self._rarely():
            document["pki"]["staff"] = {"issuer": "contoso-root", **self._authority()}
            document["clients"]["bob"] = self._client(protocols, []) | {
                "certificate": {"issuer": "staff", "subject": self._pick(SUBJECTS)}
            }
            document["clients"]["bob"].pop("user", None)
        sites = ({self._name(): site} if site else {}) | self._linked_sites()
        if sites:
            document["sites"] = sites
        return document

    # ---- parts

    def _gateway(self, protocols: list[str], server: str | None) -> dict[str, Any]:
        client: dict[str, Any] = {
            "vpnClientAddressPool": {"addressPrefixes": self._pick(
                [["172.16.201.0/24"], ["172.16.201.0/29"], ["172.16.1.0/29", "10.250.0.0/28"]])},
            "vpnClientProtocols": protocols,
        }  # fmt: skip
        if server:
            client |= {
                "vpnAuthenticationTypes": ["Radius"],
                "radiusServerAddress": server,
                "radiusServerSecret": self._pick(SECRETS),
            }
        else:
            root = {"publicCertData": "${contoso-root.publicCertData}"}
            client["vpnClientRootCertificates"] = [{"name": self._pick(NAMES), "properties": root}]
            if self._rarely():
                client["vpnAuthenticationTypes"] = ["Certificate"]
        properties: dict[str, Any] = {
            "sku": {"name": self._pick([*["VpnGw1"] * 9, "VpnGw3AZ", "Basic"])},
            "vpnClientConfiguration": client,
        }
        if self._rarely():
            routes = self._some(("10.9.0.0/16", "0.0.0.0/0", "192.168.50.0/24", "10.1.1.4/32"))
            properties["customRoutes"] = {"addressPrefixes": routes}
        return {"vnet": "contoso", "properties": properties}

    def _site(self) -> dict[str, Any]:
        site: dict[str, Any] = {
            "lan": self._pick(["192.168.50.0/24", "192.168.50.0/28"]),
            "connection": {"to": "contoso-gw", "sharedKey": self._pick(SECRETS)},
        }
        if self._often():
            site["radius"] = {"address": "192.168.50.10"} | self._radius()
            if self._rarely():
                site["radius"]["second"] = "192.168.50.11"
        if self._rarely():
            site["hosts"] = {self._name(): {"serves": self._some(SERVES)}}
        return site

    def _linked_sites(self) -> dict[str, Any]:
        """Two whose long names begin alike."""
        if not self._rarely():
            return {}
        return {
            f"headquarters-of-the-north-{number}": {
                "lan": f"192.168.{60 + number}.0/24",
                "privateLink": True,
            }
            for number in range(2)
        }

    def _radius(self) -> dict[str, Any]:
        service: dict[str, Any] = {
            "users": {user: {"password": self._pick(PASSWORDS)}
                      for user in {"alice", self._pick(USERS)}},
        }  # fmt: skip
        options: dict[str, Any] = {
            "secret": self._pick(SECRETS),
            "methods": self._some(METHODS),
            "clients": ["10.1.0.0/16"],
            "signs": "eap",
            "certificates": {"authority": "contoso-root", "revoked": []},
            "secondFactor": {"approved": self._pick([0, 0.5, 120, "asked", "never", "typed"]),
                             "denied": self._some(("alice",))},
        }  # fmt: skip
        beside = {"group", "exception"}
        assert set(options) | set(service) | beside == set(RadiusService.model_fields)
        chosen = [key for key in options if self._rarely()]
        excepted = {"exception": self._often()} if "signs" in chosen else {}
        return service | {key: options[key] for key in chosen} | excepted

    def _access(self) -> dict[str, Any]:
        options: dict[str, Any] = {
            "nat": False,
            "lan": self._pick(["192.168.1.0/24", "192.168.1.0/28", "192.168.1.0/25"]),
            "allow": self._some(ALLOWED),
            "proxy": {"port": self._pick([1, 3128, 65535]), "allow": self._some((443, 80))},
        }
        return {key: options[key] for key in options if self._rarely()}

    def _authority(self) -> dict[str, Any]:
        options = {
            "subject": self._pick(SUBJECTS),
            "validFrom": self._pick(["-2d", "-20000d", "+3d"]),
            "validTo": self._pick(["+365d", "+99999d", "-1d"]),
        }
        return {key: options[key] for key in options if self._rarely()}

    def _client(self, protocols: list[str], users: list[str]) -> dict[str, Any]:
        client: dict[str, Any] = {"os": self._pick([*SYSTEMS]), "behind": "home"}
        if users:
            client["user"] = users[0]
            if self._rarely():
                client["user"] = self._pick([f"CORP\\{users[0]}", f"{users[0]}@corp.test"])
                client["password"] = self._pick(PASSWORDS)
        else:
            client["certificate"] = {"issuer": "contoso-root", "subject": self._pick(SUBJECTS)}
        if self._rarely():
            client["protocols"] = self._some(protocols) or protocols
        if self._rarely() and "SSTP" in protocols and client["os"].startswith("windows"):
            client["sstpClient"] = self._pick(["sstpc", "python"])
        return client

    # ---- chance

    def _name(self) -> str:
        return self._names.pop()

    def _pick(self, values: list[T] | tuple[T, ...]) -> T:
        return self._random.choice(values)

    def _some(self, values: list[T] | tuple[T, ...]) -> list[T]:
        return self._random.sample(values, self._random.randint(0, len(values)))

    def _often(self) -> bool:
        return self._random.random() < 0.6

    def _rarely(self) -> bool:
        return self._random.random() < 0.25
