"""Any value anywhere, and any bytes in the files that a topology names: accepted and planned, or
refused with a message and a place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.pki.authority import issue
from lab.topology.load import load_bytes
from lab.topology.planning.describe import as_text
from lab.topology.planning.plan import CertificatePlan
from lab.topology.planning.planner import make_plan
from lab.topology.reading.problems import LoadError
from tests.rigs.made_up import Maker
from tests.unit.lab.topology.spoiling import RADIUS, SOUND, SOURCE

Place = tuple[str | int, ...]
EVERY_WORD = (SOURCE / "docs/every-word.yaml").read_text()
DOCUMENTS = [
    *map(yaml.safe_load, (EVERY_WORD, SOUND, RADIUS)),
    *(Maker(seed).document() for seed in range(4)),
]
NUMBERS = st.integers() | st.floats() | st.booleans()
NASTY = (
    "no", "on", "0x1F", "1_000", "12:30", "2026-11-30", "~", "", "-", "${x}", "${a.thumbprint}",
    "a" * 300, "\x00", "\u202e", "\ufeff", "\x85", "10.1.1.4/24", "::1", "fe80::1%eth0",
    0, -1, 1.5, 10**30, True, None, [], {}, [[]],
)  # fmt: skip
SAID = st.text(max_size=40) | st.sampled_from([one for one in NASTY if isinstance(one, str)])
VALUES = SAID | NUMBERS | st.none() | st.lists(SAID, max_size=3) | st.just({})


def places(node: Any, path: Place = ()) -> list[Place]:
    """Every value in a document."""
    parts = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    return [place for key, value in parts for place in ((*path, key), *places(value, (*path, key)))]


def at(document: Any, place: Sequence[str | int]) -> Any:
    """What stands at the place; an empty mapping if a value above was replaced."""
    for part in place:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return {}
    return document


def accepted_or_refused(content: bytes, base: Path = SOURCE) -> None:
    """No other exception; each refusal has a message at a line of the file."""
    try:
        topology = load_bytes(content, "t.yaml", base)
    except LoadError as refused:
        told = [problem.message for problem in refused.problems if problem.line >= 1]
    else:
        told = [as_text(make_plan(topology, base))]
    assert told
    assert all(told)


@pytest.mark.parametrize("value", NASTY, ids=repr)
def test_each_of_these_values_at_each_place(value: Any) -> None:
    """A tenth of all places in one document: each is judged, whatever the others are."""
    sound = yaml.safe_load(EVERY_WORD)
    leaves = [place for place in places(sound) if not isinstance(at(sound, place), dict | list)]
    for first in range(10):
        document = deepcopy(sound)
        for *above, last in leaves[first::10]:
            at(document, above)[last] = value
        accepted_or_refused(json.dumps(document, ensure_ascii=False).encode())


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(DOCUMENTS), st.data())
def test_any_value_at_any_place(sound: Any, data: st.DataObject) -> None:
    document = deepcopy(sound)
    for _ in range(data.draw(st.integers(1, 3))):
        *above, last = data.draw(st.sampled_from(places(document)))
        at(document, above)[last] = data.draw(VALUES)
    accepted_or_refused(json.dumps(document, ensure_ascii=False).encode())


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(DOCUMENTS), st.data())
def test_any_name_for_any_key(sound: Any, data: st.DataObject) -> None:
    document = deepcopy(sound)
    *above, last = data.draw(
        st.sampled_from([place for place in places(document) if isinstance(place[-1], str)])
    )
    node = at(document, above)
    node[data.draw(SAID)] = node.pop(last)
    accepted_or_refused(json.dumps(document, ensure_ascii=False).encode())


@pytest.fixture(scope="module")
def own_files() -> tuple[bytes, bytes]:
    """A certificate and its key, in PEM."""
    [own] = issue([CertificatePlan("own", "own", None, "root")]).values()
    return own.certificate_pem, own.key_pem


OWN = SOUND.replace("{issuer: contoso-root}}", "{certificate: own.pem, key: own.key}}")


def mutations(content: bytes) -> st.SearchStrategy[bytes]:
    """The file, spoiled: cut, doubled, another byte, another form, or anything at all."""
    der = x509.load_pem_x509_certificate(content).public_bytes(Encoding.DER)
    place = st.integers(0, len(content) - 1)
    return (
        st.binary(max_size=200)
        | st.sampled_from([b"", content * 2, der, content.replace(b"\n", b"\r\n"), b"\xff" * 9])
        | st.sampled_from([content.decode().encode(code) for code in ("utf-16", "utf-8-sig")])
        | place.map(lambda n: content[:n])
        | st.tuples(place, st.integers(0, 255)).map(
            lambda change: content[: change[0]] + bytes([change[1]]) + content[change[0] + 1 :]
        )
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_bytes_as_a_certificate_or_key(
    own_files: tuple[bytes, bytes], tmp_path: Path, data: st.DataObject
) -> None:
    certificate, key = own_files
    (tmp_path / "own.pem").write_bytes(data.draw(mutations(certificate) | st.just(certificate)))
    (tmp_path / "own.key").write_bytes(
        data.draw(st.just(key) | st.binary(max_size=100) | st.just(certificate) | st.just(key[:-9]))
    )
    accepted_or_refused(OWN.encode(), tmp_path)


@pytest.mark.parametrize("kind", ["directory", "missing", "loop", "unreadable name"])
def test_a_file_that_is_none(kind: str, tmp_path: Path) -> None:
    name = "own.pem"
    if kind == "directory":
        (tmp_path / name).mkdir()
    if kind == "loop":
        (tmp_path / name).symlink_to(tmp_path / name)
    named = "a\0b" if kind == "unreadable name" else name
    text = OWN.replace("own.pem", json.dumps(named))
    accepted_or_refused(text.encode(), tmp_path)
    with pytest.raises(LoadError):
        load_bytes(text.encode(), "t.yaml", tmp_path)
