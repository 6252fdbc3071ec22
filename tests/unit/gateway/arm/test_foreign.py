"""Documents of another kind are told as such."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.arm.canonical import text_of
from gateway.arm.foreign import foreign
from gateway.arm.resource import VirtualNetworkGateway
from tests.rigs.azure_documents import get

FOREIGN: dict[str, tuple[Any, str, str]] = {
    "a template": (
        {"$schema": "s", "contentVersion": "1.0.0.0", "parameters": {}, "resources": [get()]},
        "resources",
        "a whole ARM template",
    ),
    "a list": ([get()], "", "a list of 1 documents"),
    "GET of all": ({"value": [get(), get()]}, "value", "a list of 2 documents"),
    "Terraform": (
        {"name": "edge", "resource_group_name": "rg", "type": "Vpn", "generation": "Generation1"},
        "resource_group_name",
        "a document of Terraform's azurerm provider (resource_group_name, generation)",
    ),
    "Terraform's client configuration": (
        {"vpn_type": "RouteBased", "vpn_client_configuration": [{"address_space": ["x"]}]},
        "vpn_type",
        "a document of Terraform's azurerm provider (address_space)",
    ),
    "a resource of Terraform's state": (
        {"type": "azurerm_virtual_network_gateway", "values": {}},
        "type",
        "a document of Terraform's azurerm provider (azurerm_virtual_network_gateway)",
    ),
    "another resource": (
        {"type": "Microsoft.Network/connections", "properties": {}},
        "type",
        "a document of Microsoft.Network/connections",
    ),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_document_of_another_kind_is_told_at_once(kind: str) -> None:
    data, path, message = FOREIGN[kind]
    found = foreign(VirtualNetworkGateway, data)
    assert found
    assert (text_of(found.path), found.message) == (path, message)


def test_a_document_of_this_kind_is_none() -> None:
    assert foreign(VirtualNetworkGateway, get()) is None
