"""docs/topology-language.md, made from the JSON Schema of topology files and an example file.

Every key and step has a description in its model and an example in docs/every-word.yaml; a test
holds that none lacks one.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from gateway.arm.fields import ROWS, Row
from gateway.common import vocabulary as gateway_vocabulary
from lab.topology.model import steps, vocabulary
from lab.topology.model.persona import SYSTEMS, Release
from lab.topology.planning.addressing import PRIVATE_LINKS, RESERVED
from lab.topology.reading.schema import schema
from radius import reasons

EXAMPLES = "docs/every-word.yaml"
_SEVERAL = "NAME"
_LONGEST_EXAMPLE = 76
_NOT_CARRIED_OUT = {"type": "null"}
_VALUE = re.compile(r'^    "(?P<value>[a-z0-9-]+)",(?:  # (?P<meaning>.*))?$', re.MULTILINE)

_RESERVED = "\n".join(
    f"- {prefix} for {use}" for use, prefix in (RESERVED | {"private links": PRIVATE_LINKS}).items()
)
_INTRODUCTION = f"""\
# The topology language

This page is generated from the models (`./p2slab test --generate`); do not edit it. Its examples
are taken from [every-word.yaml](every-word.yaml), which a test validates. Whole situations are in
[topologies](../topologies/quickstart.yaml); `./p2slab schema > schema.json` lets your editor
complete the language, with this as the first line of a file:

```yaml
# yaml-language-server: $schema=schema.json
```

`./p2slab validate FILE` reports everything that is wrong with a file, with line and column, and
needs no privileges. Unknown keys are errors. Warnings are not: they say what works otherwise than
one may expect. Times are `500ms`, `20s`, `2m` or a number of seconds. Passwords and keys are put in
quotes and are never printed.

Names follow Azure's rules: at most 80 letters, digits, `_`, `.` and `-`, the first a letter or a
digit, the last not `.` or `-`. They compare without case, here and on the command line. A host name
is a name without what host names may not have: the host `APP_1` of the VNet `VNet1_Hub` is
`APP-1.VNet1-Hub.internal`.

A key marked **required** must be there; the others have the default that the table gives.
`{_SEVERAL}` in a path stands for a name of your own choice.

## Addresses

A prefix may be private or public, and prefixes may overlap where no router has to tell them apart:
VNets and pools of different gateways, sites of different gateways, and a network behind NAT and
anything else. Where a home has addresses to which the tunnel leads as well, the client's routes
decide, as on any computer: the longest prefix, and of equal ones the home's. Kept for the lab are

{_RESERVED}
"""


def page(checkout: Path) -> str:
    """The page, in Markdown."""
    rules = schema()
    example = yaml.safe_load((checkout / EXAMPLES).read_text(encoding="utf-8"))
    described = list(sections(rules, example))
    known = examples(described)
    parts = [_INTRODUCTION, "## Keys\n"]
    parts += [_section(rules, path, rule, known) for path, rule, _ in described]
    parts += ["## The words of `expect:`\n", _ORDER]
    ordered = (*steps.CHECKS, *steps.ACTIONS)
    others = tuple(model for model in steps.VERBS.values() if model not in ordered)
    kinds = (("Checks", steps.CHECKS), ("Actions", steps.ACTIONS), ("Second factor", others))
    for title, models in kinds:
        parts.append(f"### {title}\n")
        for model in models:
            rule = rules["$defs"][model.__name__]
            parts.append(_step(rule, step_examples(rule, example["expect"])))
    parts += [_operating_systems(), _faults(), _reasons()]
    return "\n".join(parts)


def sections(rules: dict[str, Any], example: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Each mapping of the language in reading order: its path, its rule, and all examples of it.

    A mapping that occurs at several paths is described at the first.
    """
    seen: set[str] = set()
    left: list[tuple[str, Any, list[Any]]] = [("", rules, [example])]
    while left:
        path, rule, found = left.pop(0)
        yield path, rule, found
        inner = []
        for key, inside in rule["properties"].items():
            values = [value[key] for value in found if key in value]
            for suffix, name in _mappings(inside):
                if name in seen or key == "expect":
                    continue
                seen.add(name)
                items = [item for value in values for item in _items(value, suffix)]
                step = f"{path}.{key}{suffix}".removeprefix(".")
                inner.append((step, rules["$defs"][name], items))
        left = inner + left


def _mappings(rule: Any, suffix: str = "") -> Iterator[tuple[str, str]]:
    """The mappings within a value: how the path to each goes on, and its name."""
    if "$ref" in rule:
        yield suffix, rule["$ref"].rpartition("/")[2]
    for inside in rule.get("anyOf", ()):
        yield from _mappings(inside, suffix)
    for inside in rule.get("patternProperties", {}).values():
        yield from _mappings(inside, f"{suffix}.{_SEVERAL}")
    if "items" in rule:
        yield from _mappings(rule["items"], f"{suffix}[]")


def _items(value: Any, suffix: str) -> list[Any]:
    if suffix == "[]":
        return list(value)
    return list(value.values()) if suffix else [value]


def keys(rule: Any) -> dict[str, Any]:
    """The keys of a mapping that the lab carries out."""
    return {
        key: inside
        for key, inside in rule["properties"].items()
        if {"type": inside.get("type")} != _NOT_CARRIED_OUT and key not in _rows(rule)
    }


def _rows(rule: Any) -> Mapping[str, Row]:
    """The fields of Azure's document that the lab does not carry out."""
    found = (rows for model, rows in ROWS.items() if model.__name__ == rule.get("title"))
    return next(found, {})


def examples(described: list[tuple[str, Any, list[Any]]]) -> dict[tuple[str, str], str]:
    """By key and description: the first example of it, so that a key that several mappings have
    needs one alone."""
    known: dict[tuple[str, str], str] = {}
    for _, rule, found in described:
        for key, inside in keys(rule).items():
            value = next((one[key] for one in found if key in one), None)
            if value is not None:
                known.setdefault((key, inside.get("description", "")), _example(key, value))
    return known


def example_of(known: dict[tuple[str, str], str], key: str, rule: Any) -> str:
    """What `examples` knows of a key; empty for nothing."""
    return known.get((key, rule.get("description", "")), "")


def _example(key: str, value: Any) -> str:
    """`key: value`; for a mapping or list that is too long for a line, where to look."""
    text = f"{key}: {_flow(value)}"
    return f"`{text}`" if len(text) <= _LONGEST_EXAMPLE else "see below"


def _flow(value: Any) -> str:
    """YAML in one line."""
    text = yaml.safe_dump([value], default_flow_style=True, width=10**6, sort_keys=False)
    return text.strip()[1:-1]


def _section(rules: Any, path: str, rule: Any, known: dict[tuple[str, str], str]) -> str:
    title = f"`{path}`" if path else "The file"
    lines = [f"### {title}\n", f"{_one_line(rule['description'])}\n"]
    rows: list[tuple[str, ...]] = []
    for key, inside in keys(rule).items():
        text = inside.get("description", "") or _ARM.get(key, "") or _of_mapping(rules, inside)
        example = example_of(known, key, inside)
        rows.append((f"`{key}`", _meaning(rule, key, text), _values(inside), example))
    lines += _table(("key", "meaning", "value", "example"), rows)
    refused = [f"`{key}`" for key, row in _rows(rule).items() if row.feature]
    if refused:
        lines.append(f"\nRefused by this lab, unless empty or off: {', '.join(sorted(refused))}.")
    return "\n".join([*lines, ""])


def _of_mapping(rules: Any, rule: Any) -> str:
    """What the one mapping within a value is."""
    names = [name for _, name in _mappings(rule)]
    return str(rules["$defs"][names[0]]["description"]) if len(names) == 1 else ""


def step_examples(rule: Any, expected: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps of the example file whose word is that of the rule."""
    word = next(iter(rule["properties"]))
    return [step for step in expected if word in step]


def _step(rule: Any, found: list[dict[str, Any]]) -> str:
    word = next(iter(rule["properties"]))
    lines = [f"#### `{word}`\n", f"{_one_line(rule['description'])}\n", "```yaml"]
    lines += [f"- {_flow(step)}" for step in found]
    lines.append("```\n")
    rows: list[tuple[str, ...]] = [
        (
            f"`{key}`",
            _meaning(rule, key, inside.get("description", "") or _COMMON[key]),
            _values(inside),
        )
        for key, inside in rule["properties"].items()
        if key != word
    ]
    if rows:
        lines += [*_table(("key", "meaning", "value"), rows), ""]
    return "\n".join(lines)


def _meaning(rule: Any, key: str, text: str) -> str:
    said = [_one_line(text)]
    if key in rule.get("required", ()):
        said.insert(0, "**required**.")
    default = rule["properties"][key].get("default")
    if isinstance(default, bool | int | float | list | str) and default not in ("", []):
        said.append(f"Default: `{_flow(default)}`.")
    return " ".join(filter(None, said))


_ARM = {
    "gatewayType": "Only Vpn is carried out; the others are refused.",
    "vpnType": "PolicyBased has no point-to-site.",
    "activeActive": "Two instances: not supported by this lab.",
    "enableBgp": "BGP: not supported by this lab.",
    "ipConfigurations": "Taken and returned; the topology decides where the gateway stands.",
    "tier": "The same as `name`, where it is given.",
    "privateIPAllocationMethod": "How the private address is given.",
    "name": "The entry's name.",
    "id": "The resource's id; its last part is its name.",
    "vpnClientAddressPool": "The prefixes from which clients get their addresses.",
    "vpnClientProtocols": "What the gateway offers.",
    "vpnAuthenticationTypes": "How clients are authenticated.",
    "thumbprint": "See [certificates.md](certificates.md).",
    "vpnClientIpsecPolicies": "The only algorithms over IkeV2, as in ARM a list, of one policy. "
    "Only values that Azure accepts for point-to-site.",
    "saLifeTimeSeconds": "After how many seconds, at the latest, the keys of the IPsec SA are "
    "replaced: from 300, for clients to 172799.",
    "saDataSizeKilobytes": "After how many KiB, at the latest: from 1024.",
    "ipsecEncryption": "Of the IPsec SA; the same word as `ipsecIntegrity` for GCM.",
    "ipsecIntegrity": "Of the IPsec SA.",
    "ikeEncryption": "Of the IKE SA.",
    "ikeIntegrity": "Of the IKE SA; with GCM, its pseudo-random function.",
    "dhGroup": "Of the IKE SA.",
    "pfsGroup": "Of the IPsec SA, when its keys are replaced; PFSMM is the group of `dhGroup`.",
    "radiusServerAddress": "The address of the RADIUS server.",
    "radiusServerSecret": "The shared secret; GET never returns it.",
    "radiusServers": "Several servers, at most two, in place of `radiusServerAddress`.",
    "radiusServerScore": "The server with the higher score is asked first.",
    "addressPrefixes": "The prefixes.",
    "fault": "One of the [faults](#faults).",
}
"""Keys of Azure's document, whose models do not describe them."""

_COMMON = {
    "over": "The protocol that is dialled.",
    "because": "Why it is refused: one of the [reasons](#reasons).",
    "within": "Within how many seconds.",
    "host": "A node of the lab.",
    "address": "Any address or name, in place of `host`.",
    "port": "The port; not for ICMP.",
    "protocol": "How it is tried.",
    "to": "The address that the name must have.",
    "name": "The name.",
    "is": "The connectionStatus that Azure's API would give.",
    "for": "For how many seconds.",
    "properties": "What is merged; null takes a key away.",
}
"""Keys of steps whose models say nothing more than their names do."""


def _values(rule: Any) -> str:
    """What may be written there."""
    if "enum" in rule:
        return ", ".join(f"`{value}`" for value in rule["enum"])
    if "anyOf" in rule:
        found = (_values(one) for one in rule["anyOf"] if one.get("type") != "null")
        return " or ".join(dict.fromkeys(found))
    kind = _KINDS.get(rule.get("type", "object"))
    return kind(rule) if callable(kind) else str(kind)


def _number(rule: Any) -> str:
    low = [f"from {rule['minimum']:g}"] if "minimum" in rule else []
    low += [f"above {rule['exclusiveMinimum']:g}"] if "exclusiveMinimum" in rule else []
    high = [f"to {rule['maximum']:g}"] if "maximum" in rule else []
    return " ".join(["number", *low, *high])


def _list(rule: Any) -> str:
    return "list of steps" if "oneOf" in rule["items"] else f"list: {_values(rule['items'])}"


_KINDS: dict[str, str | Callable[[Any], str]] = {
    "object": "mapping",
    "array": _list,
    "string": lambda rule: "time" if "(ms|s|m)" in rule.get("pattern", "") else "text",
    "boolean": "`true` or `false`",
    "integer": _number,
    "number": _number,
}
"""By JSON Schema's type."""


_ORDER = """\
Each step is a mapping whose first key is its word. Steps are carried out in order. Actions are
barriers, and so are `tunnel` and `throughput`; between barriers, the checks of different clients
run side by side. `approve` and `deny` run beside the steps of the client before them.
"""


def _operating_systems() -> str:
    rows = [
        (f"`{name}`", versions, ", ".join(row.dials) or "nothing", ", ".join(row.updates))
        for name, releases in SYSTEMS.items()
        for row, versions in _alike(releases)
    ]
    head = "## Operating systems\n\nWhat each dials, in order, and the updates that it takes.\n"
    return "\n".join([head, *_table(("`os`", "`version`", "dials", "`updates`"), rows), ""])


def _alike(releases: Mapping[str, Release]) -> Iterator[tuple[Release, str]]:
    """Each row of the table with its versions."""
    found: dict[Release, list[str]] = {}
    for version, row in releases.items():
        found.setdefault(row, []).append(version)
    return ((row, ", ".join(versions)) for row, versions in found.items())


def _faults() -> str:
    rows = _commented(vocabulary, "FaultName")
    head = (
        "## Faults\n\nThe values of `fault:` and `endFault:`, and of `p2slab fault` on a running "
        "lab.\n"
    )
    return "\n".join([head, *_table(("fault", "what goes wrong"), rows), ""])


def _reasons() -> str:
    rows = [
        row
        for module in (gateway_vocabulary, reasons, vocabulary)
        for row in _commented(module, "Reason")
    ]
    head = "## Reasons\n\nThe values of `because:` where a client is refused.\n"
    return "\n".join([head, *_table(("reason", "meaning"), rows), ""])


def _commented(module: Any, name: str) -> list[tuple[str, str]]:
    """The values of a Literal and the comments beside them."""
    body = inspect.getsource(module).partition(f"\n{name} = Literal[\n")[2].partition("\n]\n")[0]
    return [
        (f"`{found['value']}`", found["meaning"] or found["value"].replace("-", " "))
        for found in _VALUE.finditer(body)
    ]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    escaped = [tuple(cell.replace("|", "\\|") for cell in row) for row in rows]
    lines = [head, ("---",) * len(head), *escaped]
    return ["| " + " | ".join(cells) + " |" for cells in lines]
