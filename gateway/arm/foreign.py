"""Documents of another kind, which are told as such: templates, lists, Terraform's, other types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.arm.fields import RESOURCE_TYPES, TERRAFORM, TERRAFORM_CLIENT
from gateway.arm.flaw import SHOW, Flaw, Path, fold

if TYPE_CHECKING:
    from pydantic import BaseModel


def foreign(model: type[BaseModel], data: Any) -> Flaw | None:
    """What the data is, if it is no document of the resource."""
    wanted = RESOURCE_TYPES.get(model)
    if wanted is None or not isinstance(data, dict | list):
        return None
    if isinstance(data, list):
        return _several((), data)
    keys = {fold(str(key)): key for key in data}
    found = (kind(wanted, data, keys) for kind in (_template, _listed, _terraform, _other_type))
    return next(filter(None, found), None)


def _several(path: Path, documents: list[Any]) -> Flaw:
    message = f"a list of {len(documents)} documents"
    return Flaw(path, message, "name one resource's document alone", at_key=True)


def _template(wanted: str, _data: Any, keys: dict[str, Any]) -> Flaw | None:
    if "resources" not in keys or not keys.keys() & {"$schema", "contentversion"}:
        return None
    remedy = f"{SHOW}; or take the resource of type {wanted} alone, with values for expressions"
    return Flaw((keys["resources"],), "a whole ARM template", remedy, at_key=True)


def _listed(_wanted: str, data: Any, keys: dict[str, Any]) -> Flaw | None:
    listed = data.get(keys.get("value"))
    return _several((keys["value"],), listed) if isinstance(listed, list) else None


def _terraform(_wanted: str, data: Any, _keys: dict[str, Any]) -> Flaw | None:
    blocks = data.get("vpn_client_configuration")
    inner = blocks[0] if isinstance(blocks, list) and blocks else blocks
    found = [name for name in TERRAFORM if name in data]
    found += [name for name in TERRAFORM_CLIENT if isinstance(inner, dict) and name in inner]
    kind = data.get("type")
    if not found and not (isinstance(kind, str) and kind.startswith("azurerm_")):
        return None
    message = f"a document of Terraform's azurerm provider ({', '.join(found or [kind])})"
    remedy = f"this lab takes Azure's own: after `terraform apply`, {SHOW}"
    at = next((key for key in found if key in data), "type" if not found else next(iter(data)))
    return Flaw((at,), message, remedy, at_key=True)


def _other_type(wanted: str, data: Any, keys: dict[str, Any]) -> Flaw | None:
    kind = data.get(keys.get("type"))
    if not isinstance(kind, str) or "/" not in kind or kind.lower() == wanted.lower():
        return None
    return Flaw((keys["type"],), f"a document of {kind}", f"one of {wanted} belongs here")
