"""What computers in VNets and sites have in common: their services and their own firewall."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from lab.topology.model.values import Allow
from lab.topology.model.vocabulary import Serves

Listens = Literal["everywhere", "loopback"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class HostFirewall(_Model):
    """A computer's own firewall."""

    deny: tuple[Allow, ...] = ()
    """What it drops on arrival, such as [tcp/80, icmp]."""


class Computer(_Model):
    """A computer with services."""

    serves: tuple[Serves, ...] = ()
    """What it serves: http (port 80), iperf3 (5201), dns (53), echo (TCP and UDP port 7)."""
    listens: Listens = "everywhere"
    """Where these services listen; with `loopback` only the computer itself reaches them."""
    firewall: HostFirewall = HostFirewall()
    """Its own firewall, such as {deny: [tcp/80]}."""
