"""What daemons of a plan read, and each program's own check of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.pki.authority import Credential
from lab.roles import dns, http, proxy
from lab.roles.radius_server import instance_of
from lab.topology.planning.plan import Plan
from lab.topology.planning.specs import (
    DirectorySpec,
    DnsSpec,
    HttpSpec,
    ProxySpec,
    RadiusSpec,
    ServiceSpec,
)
from radius import freeradius
from radius.directory import Domain, controller_conf, member_conf
from radius.freeradius_instance import Domain as Membership


@dataclass(frozen=True)
class Written:
    """Files of a daemon, by name, and the command that checks them; HERE is their directory."""

    node: str
    files: dict[str, bytes]
    check: tuple[str, ...]


HERE = "/HERE/"
FREERADIUS = ("freeradius", "-C", "-X", "-d", HERE, "-n", freeradius.NAME)


def written(plan: Plan, credentials: Mapping[str, Credential]) -> Iterator[Written]:
    """Of every node."""
    for node in plan.nodes:
        if node.nftables:
            check = ("nft", "--check", "--file", f"{HERE}rules")
            yield Written(node.name, {"rules": node.nftables.encode()}, check)
        for spec in node.services:
            for files, check in _WRITERS.get(type(spec), _nothing)(spec, credentials):
                yield Written(node.name, files, check)


Files = Iterator[tuple[dict[str, bytes], tuple[str, ...]]]


def _nothing(_spec: ServiceSpec, _credentials: Mapping[str, Credential]) -> Files:
    yield from ()


def _dns(spec: DnsSpec, _credentials: Mapping[str, Credential]) -> Files:
    file = {"conf": dns.configuration(spec).encode()}
    yield file, ("dnsmasq", "--test", f"--conf-file={HERE}conf")


def _http(spec: HttpSpec, _credentials: Mapping[str, Credential]) -> Files:
    text = http.configuration(spec).replace("/run/nginx/", HERE)
    yield {"conf": text.encode()}, ("nginx", "-t", "-p", HERE, "-e", "stderr", "-c", f"{HERE}conf")


def _proxy(spec: ProxySpec, _credentials: Mapping[str, Credential]) -> Files:
    text = proxy.configuration(spec).replace(f"{proxy.DIRECTORY}/", HERE)
    yield {"conf": text.encode()}, ("squid", "-k", "parse", "-f", f"{HERE}conf")


def _radius(spec: RadiusSpec, credentials: Mapping[str, Credential]) -> Files:
    instance = instance_of(spec, credentials)
    made = freeradius.files(instance, HERE.rstrip("/"))
    yield {name: file.content for name, file in made.items()}, FREERADIUS
    if spec.domain:
        domain = Membership(spec.domain, "S-1-5-21-1-2-3-1104" if spec.group else None)
        member = type(instance)(**{**vars(instance), "domain": domain})
        made = freeradius.files(member, HERE.rstrip("/"))
        yield {name: file.content for name, file in made.items()}, FREERADIUS


def _directory(spec: DirectorySpec, _credentials: Mapping[str, Credential]) -> Files:
    domain = Domain(spec.realm, spec.users, tuple(spec.members), spec.lockout_threshold)
    for text in (controller_conf(domain), *(member_conf(domain, name) for name in spec.members)):
        yield {"conf": text.encode()}, ("testparm", "--suppress-prompt", f"{HERE}conf")


_WRITERS: dict[type[Any], Callable[[Any, Mapping[str, Credential]], Files]] = {
    DnsSpec: _dns,
    HttpSpec: _http,
    ProxySpec: _proxy,
    RadiusSpec: _radius,
    DirectorySpec: _directory,
}


def checked(one: Written, directory: Path) -> str:
    """What the program says against its files; empty if it takes them."""
    directory.mkdir()
    here = f"{directory}/"
    for name, content in one.files.items():
        (directory / name).write_bytes(content.replace(HERE.encode(), here.encode()))
    argv = [word.replace(HERE, here) for word in one.check]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=60)
    if done.returncode == 0:
        return ""
    said = (done.stdout + done.stderr).decode(errors="replace").splitlines()
    return "\n".join([f"{one.node}: {argv[0]}", *said[-8:]])
