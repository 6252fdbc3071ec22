"""The documentation: its links, its code blocks, the paths and numbers that it names."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from itertools import chain
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest
import yaml
from pydantic import TypeAdapter

from gateway.common import errors
from gateway.control import routes
from gateway.engine import EngineReport
from gateway.policy.diagnostics import Record, TunnelRecord
from lab.boot import arguments, image, root
from lab.boot.verbs import VERBS
from lab.cli.bench import BENCHMARKS
from lab.topology.load import load_bytes
from lab.topology.model.steps import Steps
from lab.topology.model.topology import Topology
from tests.structure.floors import FLOORS

SOURCE = Path(__file__).parents[2]
DOCUMENTS = [
    path.relative_to(SOURCE)
    for path in (
        *sorted(SOURCE.glob("*.md")),
        *sorted((SOURCE / "docs").glob("*.md")),
        SOURCE / "topologies/README.md",
    )
]
MOST_OF_THE_README = 150
"""Lines."""

LINK = re.compile(r"\[[^]\n]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (?P<title>.+)$", re.MULTILINE)
FENCE = re.compile(r"^ *```(?P<kind>[a-z]*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
PLACE = re.compile(r"(gateway|lab|radius|tests|docs|topologies)(/[A-Za-z0-9_.-]+)+/?")
MODULE = re.compile(r"(gateway|lab|radius|tests)(\.[a-z0-9_]+)+")
CITED = re.compile(r"docs/facts\.md §(?P<number>[0-9]+)")
COMMAND = re.compile(r"^(\./)?p2slab (?P<words>[^#\n]*)", re.MULTILINE)
PLACEHOLDER = re.compile(r"NAME|TARGET|HASH")
"""Words of which a reader makes a name."""


class Block(NamedTuple):
    """A block of code and what it is written in."""

    document: Path
    kind: str
    text: str


@cache
def text_of(document: Path) -> str:
    return (SOURCE / document).read_text(encoding="utf-8")


def prose_of(document: Path) -> str:
    """Without blocks of code; of the table of names, what is there now."""
    text = FENCE.sub("", text_of(document))
    if document.name == "CHANGELOG.md":
        text = re.sub(r"^\| [^|]*\|", "|", text, flags=re.MULTILINE)
    return text


@cache
def anchors(document: Path) -> frozenset[str]:
    """As GitHub makes them of headings."""
    titles = (found["title"] for found in HEADING.finditer(FENCE.sub("", text_of(document))))
    plain = (LINK.sub(lambda link: link[0][1 : link[0].index("]")], title) for title in titles)
    return frozenset(
        re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in plain
    )


def blocks(*kinds: str) -> Iterator[Block]:
    for document in DOCUMENTS:
        for found in FENCE.finditer(text_of(document)):
            if found["kind"] in kinds:
                yield Block(document, found["kind"], dedent(found["text"]))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    wrong = []
    for target in (found["target"] for found in LINK.finditer(prose_of(document))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (SOURCE / document.parent / unquote(name)).resolve() if name else SOURCE / document
        if not place.exists() or (anchor and anchor not in anchors(place.relative_to(SOURCE))):
            wrong.append(target)
    assert wrong == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_named_files_and_modules_exist(document: Path) -> None:
    named = [found.group(1) for found in CODE.finditer(prose_of(document))]
    places = {name for name in named if PLACE.fullmatch(name)}
    modules = {name for name in named if MODULE.fullmatch(name)} - places
    absent = {name for name in places
              if not PLACEHOLDER.search(name) and not (SOURCE / name).exists()}  # fmt: skip
    assert absent | {name for name in modules if not names_something(name)} == set()


def names_something(name: str) -> bool:
    """A module, or a name that stands in one."""
    path = SOURCE / name.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").exists():
        return True
    module, _, inside = name.rpartition(".")
    file = SOURCE / f"{module.replace('.', '/')}.py"
    return file.exists() and bool(re.search(rf"\b{inside}\b", file.read_text(encoding="utf-8")))


def commands() -> list[str]:
    """In blocks, and in the middle of sentences, but for mere names of verbs; without `p2slab`."""
    named = arguments.load_table(str(SOURCE))
    lines = [block.text for block in blocks("console")]
    lines += [found[1] for document in DOCUMENTS for found in CODE.finditer(prose_of(document))]
    words = (found["words"].strip() for text in lines for found in COMMAND.finditer(text))
    said = {word.partition(" > ")[0] for word in words} - {*named, *VERBS}
    return sorted(word for word in said if not re.search("VERB|NAME", word))


@pytest.mark.parametrize("words", commands())
def test_commands_are_understood(words: str) -> None:
    """By the table of the verbs, or by the parsers of the launcher's own."""
    argv = shlex.split(words.replace("$PWD", "/x").replace("MINUTES", "1"))
    call = arguments.read(argv, arguments.load_table(str(SOURCE)))
    parsers = {"root": root._parser, "image": image._parser}
    if call.verb in parsers:
        parsers[call.verb]().parse_args(call.own)


def test_blocks_of_python_compile() -> None:
    for block in blocks("python"):
        ast.parse(block.text, str(block.document))


def test_blocks_of_json_are_json() -> None:
    for block in blocks("json"):
        json.loads(block.text)


@pytest.mark.parametrize("block", list(blocks("yaml")), ids=lambda block: str(block.document))
def test_blocks_of_yaml_are_of_the_topology_language(block: Block, tmp_path: Path) -> None:
    """A whole topology (it has a name), some of its keys, or steps of `expect:`."""
    written = yaml.safe_load(block.text)
    if isinstance(written, list):
        Steps.validate_python(written)
    elif written and "name" in written:
        load_bytes(block.text.encode(), str(block.document), tmp_path)
    else:
        for key, value in (written or {}).items():
            field = Topology.model_fields[key]
            TypeAdapter(field.annotation).validate_python(value)


def test_the_readme_is_short() -> None:
    assert len(text_of(Path("README.md")).splitlines()) <= MOST_OF_THE_README


def test_the_readme_leads_to_every_page_and_their_own_to_every_topology() -> None:
    text = text_of(Path("README.md"))
    assert [str(page) for page in DOCUMENTS
            if page != Path("README.md") and f"({page})" not in text] == []  # fmt: skip
    own = text_of(Path("topologies/README.md"))
    names = [path.name for path in SOURCE.glob("topologies/*.yaml")]
    assert [name for name in names if f"({name})" not in own] == []


def test_the_readme_has_every_verb() -> None:
    text = text_of(Path("README.md"))
    rows = "".join(re.findall(r"^\| `.*?\|", text, re.MULTILINE))
    assert [verb for verb in VERBS if not re.search(rf"`{verb}\b", rows)] == []


def test_every_benchmark_is_described() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", text_of(Path("docs/benchmarks.md")), re.MULTILINE)
    assert sorted(rows) == sorted(BENCHMARKS)


def test_the_api_is_described_as_it_is() -> None:
    rows = re.findall(r"^\| ([A-Z]+) \| `([^`]+)` \|", text_of(Path("docs/gateway-api.md")),
                      re.MULTILINE)  # fmt: skip
    served = routes(None)  # type: ignore[arg-type] (nothing is asked of it)
    assert set(rows) == {(method, path) for path, methods in served.items() for method in methods}


def test_the_api_s_errors_are_described_as_they_are() -> None:
    rows = re.findall(r"^\| ([0-9]{3}) \| `(\w+)` \|", text_of(Path("docs/gateway-api.md")),
                      re.MULTILINE)  # fmt: skip
    kinds = [errors.GatewayError, *errors.GatewayError.__subclasses__()]
    assert {(int(status), code) for status, code in rows} == {
        (kind.status, kind.code) for kind in kinds
    }


@pytest.mark.parametrize("kind", [Record, TunnelRecord, EngineReport])
def test_the_api_s_records_are_described(kind: type[Any]) -> None:
    named = {found[1] for found in CODE.finditer(text_of(Path("docs/gateway-api.md")))}
    assert {field.name for field in fields(kind)} - named == set()


def test_every_floor_is_described() -> None:
    """A module that stands beside folders is described with its folder."""
    text = text_of(Path("docs/architecture.md"))
    folders = [floor.replace(".", "/") for floor in FLOORS]
    there = [name for name in folders if (SOURCE / name).is_dir() and "/" in name]
    short = {name for name in there if f"`{name}`" in text}
    within = {f"lab/topology/{name}" for name in ("model", "reading", "planning", "rules")}
    assert set(there) - short - within == {"lab/topology"}


def sources() -> dict[Path, str]:
    packages = chain.from_iterable(
        (SOURCE / package).rglob("*.py") for package in ("gateway", "lab", "radius", "tests")
    )
    return {path: path.read_text(encoding="utf-8") for path in packages if path != Path(__file__)}


def test_cited_facts_are_there() -> None:
    numbers = set(re.findall(r"^## §([0-9]+) ", text_of(Path("docs/facts.md")), re.MULTILINE))
    cited = {found["number"] for text in sources().values() for found in CITED.finditer(text)}
    assert cited
    assert cited <= numbers


def test_no_fact_is_cited_that_only_its_author_has() -> None:
    wrong = re.compile(r"(?<!docs/)\bfacts(/|: |\.md|, pitfall)")
    assert [str(path) for path, text in sources().items() if wrong.search(text)] == []
