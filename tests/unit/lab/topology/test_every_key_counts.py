"""No key of the language is ignored: without it the plan is another, or is refused.

The keys are those of docs/every-word.yaml and of the sound topologies. A value that is the default
proves nothing, so OTHER has another one for each key that stands there with its default alone.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from lab.checks.run import WORK
from lab.faults import active, kinds
from lab.topology.model.steps import Fault, TimedFault
from lab.topology.model.topology import Topology
from lab.topology.planning.plan import (
    Cable,
    CertificatePlan,
    ClientPlan,
    End,
    GatewayPlan,
    NodePlan,
    Plan,
    Route,
)
from lab.topology.planning.planner import make_plan
from lab.topology.planning.specs import ServiceSpec
from lab.topology.reading.azure import take
from lab.topology.reading.document import read
from lab.topology.rules import rule_problems
from lab.topology.rules.declared import Declared
from tests.unit.lab.topology.spoiling import RADIUS, SOUND, SOURCE

Place = tuple[str, ...]
EVERY_WORD = (SOURCE / "docs/every-word.yaml").read_text()
TEXTS = {"every-word": EVERY_WORD, "SOUND": SOUND, "RADIUS": RADIUS}
AZURES = ("document", "ignore")
"""How Azure's document is read (tests/unit/lab/topology/reading/test_azure.py)."""
OTHER: dict[str, Any] = {
    # path in one of the texts: a value that is not the default
    "RADIUS.sites.head-office.privateLink": True,
    "every-word.access.home.nat": False,
    "every-word.access.home.lan": "192.168.78.0/24",
    "every-word.access.company.proxy.port": 8080,
    "every-word.access.company.proxy.allow": [443, 8443],
    "every-word.clients.carol.certificate.clientAuth": False,
    "every-word.pki.northwind-root.validFrom": "-2d",
    "every-word.pki.northwind-root.validTo": "+2d",
    "every-word.sites.head-office.directory.realm": "example.test",
    "every-word.sites.head-office.radius.secondFactor.approved": 5,
    "every-word.clients.olga.administrator": False,
    "every-word.gateways.contoso-gw.deploymentModel": "Classic",
}


def keys(node: Any, path: Place = ()) -> Iterator[Place]:
    """Every key but those of Azure's documents and of steps."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key not in AZURES:
                yield (*path, key)
            if key not in ("properties", "expect", "faults"):
                yield from keys(value, (*path, key))


@cache
def document(name: str) -> Any:
    """With the JSON files of Azure's documents in it, in place of their names."""
    return take(read(TEXTS[name]), name, SOURCE / "docs").data


def changed(name: str, path: Place, value: Any = None) -> Any:
    """The document with another value there; None: without the key."""
    result = deepcopy(document(name))
    node = result
    for part in path[:-1]:
        node = node[part]
    if value is None:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return result


def topology(data: Any) -> Topology | None:
    """None: it is refused."""
    try:
        found = Topology.model_validate(data)
    except ValidationError:
        return None
    declared = Declared.of(data, frozenset(), {})
    return None if [*rule_problems(found, declared)] else found


def plan(found: Topology) -> Plan:
    return make_plan(found, SOURCE)


def fields() -> set[tuple[str, str]]:
    """Model and field of everything that a topology file may say outside of steps."""

    def walk(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
        for name, field in model.model_fields.items():
            yield owner(model, name), name
            for inner in models_in(field.annotation):
                yield from walk(inner)

    left = {"properties", *AZURES, "expect", "faults"}
    # Lists are not walked; tests/e2e/sites has what rules of a group and routes of a table do;
    # tests/causes/120-wrong-certificate-chosen.yaml has other certificates.
    listed = ("SecurityRule", "UserRoute", "RouteProperties", "OtherCertificate")
    found = (place for place in walk(Topology) if not place[0].startswith(listed))
    return {(model, name) for model, name in found if name not in left}


def owner(model: type[BaseModel], name: str) -> str:
    """The model that has the field, of those that inherit it the first."""
    return next(
        one.__name__ for one in reversed(model.__mro__) if name in inspect.get_annotations(one)
    )


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    if is_model and annotation.__module__.startswith("lab.topology.model."):
        yield from () if is_step(annotation) else (annotation,)
    for part in getattr(annotation, "__args__", ()):
        yield from models_in(part)


def is_step(model: type[BaseModel]) -> bool:
    return model in (*WORK, TimedFault)


def field_at(found: Topology, path: Place) -> tuple[str, str] | None:
    """Model and field of the key; None: the key is a name."""
    node: Any = found
    for part in path[:-1]:
        node = node[part] if isinstance(node, dict) else getattr(node, part)
    return None if isinstance(node, dict) else (owner(type(node), path[-1]), path[-1])


PATHS = [(name, path) for name in TEXTS for path in keys(document(name))]
PATHS += [(name, tuple(path)) for name, *path in (place.split(".") for place in OTHER)]


@cache
def whole(name: str) -> tuple[Topology, Plan]:
    found = topology(document(name))
    assert found is not None
    return found, plan(found)


def tried(name: str, path: Place) -> tuple[str, str] | None:
    """The field that is thus proved to count; None: nothing is proved."""
    found, usual = whole(name)
    other = OTHER.get(".".join((name, *path)))
    result = topology(changed(name, path, other))
    if result == found:
        return None  # it was the default
    assert result is None or plan(result) != usual, f"{'.'.join(path)} changes nothing"
    return field_at(found, path)


def test_a_plan_is_the_same_every_time() -> None:
    for name in TEXTS:
        found, usual = whole(name)
        assert plan(found) == usual


def test_every_key_counts() -> None:
    proved = {tried(name, path) for name, path in PATHS}
    assert fields() - proved == set()


# --------------------------------------------------------------------------------------- plans


@cache
def read_when_built() -> set[str]:
    """Names of attributes in everything that carries out a plan."""
    places = ("roles", "clients", "runtime", "pki", "nodes", "faults", "checks")
    files = [file for place in places for file in (SOURCE / "lab" / place).glob("*.py")]
    return set().union(*(attributes(file.read_text()) for file in files))


@pytest.mark.parametrize(
    "part",
    [*get_args(ServiceSpec), NodePlan, CertificatePlan, ClientPlan, GatewayPlan, Cable, End, Route],
    ids=lambda part: part.__name__,
)
def test_every_field_of_a_plan_is_read_by_who_carries_it_out(part: type[Any]) -> None:
    own = attributes(inspect.getsource(part))  # of its properties
    assert {field.name for field in dataclasses.fields(part)} - read_when_built() - own == set()


# ---------------------------------------------------------------------------------------- steps


def attributes(source: str) -> set[str]:
    return {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}


@pytest.mark.parametrize("step", [*WORK, TimedFault], ids=lambda step: step.__name__)
def test_every_key_of_a_step_is_read_where_the_step_is_executed(step: type[BaseModel]) -> None:
    about_faults = issubclass(step, Fault)
    modules = (kinds, active) if about_faults else (inspect.getmodule(WORK[step]),)
    read = set().union(*(attributes(Path(inspect.getfile(m)).read_text()) for m in modules if m))
    assert set(step.model_fields) - read == set()
