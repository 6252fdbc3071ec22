"""Route tables: ARM's user-defined routes of a subnet."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from lab.topology.model.values import Address, Name, Prefix

NextHopType = Literal["VirtualNetworkGateway", "VnetLocal", "VirtualAppliance", "None"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class RouteProperties(_Model):
    """Where packets for a prefix go."""

    addressPrefix: Prefix
    """Of the longest prefixes with the destination in them this one decides, before Azure's own
    route for the same prefix."""
    nextHopType: NextHopType
    """The VNet's gateway, the VNet itself, a computer of it, or nowhere: None drops them. Azure's
    Internet is missing, for no VNet of this lab has a way there."""
    nextHopIpAddress: Address | None = None
    """The address of the VirtualAppliance."""


class UserRoute(_Model):
    """A named route."""

    name: Name
    """The route's name."""
    properties: RouteProperties
    """ARM `properties` of a route."""


class RouteTable(_Model):
    """The routes of a subnet, for what its computers send; Azure's own come after them."""

    routes: tuple[UserRoute, ...] = ()
    """Such as [{name: drop, properties: {addressPrefix: 10.9.0.0/16, nextHopType: None}}]."""
