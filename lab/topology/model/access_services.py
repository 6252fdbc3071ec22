"""What an access network does to its computers besides connecting them: its DNS server."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from lab.topology.model.values import Address, DnsName


class AccessDns(BaseModel):
    """The DNS server of an access network, on its router; the Internet's knows the other names. The
    name of a gateway in this file stands for the name that the gateway's clients dial."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    answers: dict[DnsName, Address] = {}
    """Names to the addresses that it says they have, such as {contoso-gw: 198.51.100.77}."""
    refuses: tuple[DnsName, ...] = ()
    """Names that it says do not exist, such as [contoso-gw]."""
