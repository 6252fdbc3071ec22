"""Bytes that are not a topology file end quickly in one clear message."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import USAGE
from lab.topology.load import load, load_all, load_bytes
from lab.topology.reading.problems import LoadError, Located
from tests.unit.lab.topology.spoiling import SOUND, SOURCE, TOPOLOGIES, check, problems

TEXTS = {
    "empty": ("", "1:1: the file is empty"),
    "only a comment": ("# nothing\n", "1:1: the file is empty"),
    "a list": ("\n- a\n", "2:1: not a topology: the file must be a mapping"),
    "plain text": ("hello\n", "1:1: not a topology"),
    "an open bracket": ("name: [a\nstory: b\n", "2:6: not YAML: did not find expected"),
    "an open quote": ('name: "a\n', "1:7: not YAML: a quote that is not closed"),
    "a tab": ("vnets:\n\tcontoso: {}\n", "2:1: a tab in the indentation; indent with spaces"),
    "a colon too many": ("name: a: b\n", "1:8: not YAML: mapping values are not allowed"),
    "a control character": ("name: \x00a\n", "1:7: not YAML: a control character"),
    "two documents": ("name: a\n---\nname: b\n", "2:1: a second YAML document; keep one"),
    "a tag": ("name: !!python/object:os.system a\n", "1:7: the tag"),
    "a key twice": ("name: a\nname: b\n", "2:1: key 'name' is given twice, first in line 1"),
    "a key that is a list": ("[a]: b\n", "1:1: a key must be text"),
    "an alias of nothing": ("name: *a\n", "1:7: *a refers to nothing"),
    "an alias of itself": ("name: &a [*a]\n", "1:11: *a contains itself"),
    "a merge of text": ("<<: a\n", "1:5: << merges mappings only"),
    "deep brackets": ("name: " + "[" * 500, "1:47: nested too deeply"),
    "very deep brackets": ("name: " + "[" * 100_000, "1:1006: nested too deeply"),
    "deep braces": ("{a: " * 50_000, "1:162: nested too deeply"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_text_that_is_no_topology_says_where_and_why(case: str) -> None:
    text, words = TEXTS[case]
    told = [f"{line}:{column}: {said}" for line, column, said in problems(text)]
    assert any(said.startswith(words) for said in told), told


def test_bytes_that_are_not_utf8_are_pointed_at() -> None:
    with pytest.raises(LoadError) as caught:
        load_bytes("name: a\nstory: caf\u00e9\n".encode("latin-1"), "t.yaml", SOURCE)
    assert str(caught.value.problems[0]) == "t.yaml:2:11: not UTF-8 text; save it as UTF-8"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_editors_do(end: str) -> None:
    """YAML 1.1, which libyaml reads, has other line ends too."""
    text = SOUND.replace("Somebody connects.", '"Some\x85body\u2028con\u2029nects."')
    text = text.replace("os: windows10", "os: dos").replace("\n", end)
    [(line, column, _)] = problems(text)
    before = SOUND[: SOUND.index("windows10")]
    assert (line, column) == (before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert problems(text + "a: [")[0][0] == SOUND.count("\n") + 1


def test_a_byte_order_mark_is_accepted() -> None:
    assert load_bytes(b"\xef\xbb\xbf" + SOUND.encode(), "t.yaml", SOURCE).name == "office"


def test_a_bomb_is_refused_before_it_goes_off() -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    text = "a0: &a0 [x]\n" + "\n".join(levels)
    began = time.thread_time()
    [(line, _, words)] = problems(text)
    assert time.thread_time() - began < 0.5
    assert words.startswith("more than 20000 values after expanding")
    assert line == 6


def test_a_bomb_of_merges_is_refused_too() -> None:
    levels = [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 30)]
    text = "a0: &a0 {x: 1}\n" + "\n".join(levels)
    [(_, _, words)] = problems(text)
    assert words.startswith("more than 20000 values after expanding")


def test_a_long_chain_of_aliases_is_refused_as_too_deep() -> None:
    chain = "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 3000))
    [(line, _, words)] = problems(chain)
    assert words.startswith("nested too deeply")
    assert line == 40


def test_ten_megabytes_are_refused_unread(tmp_path: Path) -> None:
    big = tmp_path / "big.yaml"
    big.write_bytes(b"# padding\n" * 1_000_000)
    began = time.thread_time()
    with pytest.raises(LoadError, match="larger than 1000 kB"):
        load(big)
    assert time.thread_time() - began < 0.2


def test_a_million_entries_end_in_good_time() -> None:
    began = time.thread_time()
    assert problems("expect:\n" + "- {a: b}\n" * 100_000)
    assert time.thread_time() - began < 10


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.exists, "no such file"),
        (Path.mkdir, "a directory"),
        (lambda path: path.symlink_to(path), "cannot be read: Too many levels of symbolic links"),
    ],
)
def test_a_path_that_is_no_readable_file_says_so(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    path = tmp_path / "t.yaml"
    make(path)
    with pytest.raises(LoadError) as caught:
        load(path)
    assert str(caught.value.problems[0]).startswith(f"{path}:1:1: {words}")
    assert caught.value.code == USAGE


def test_a_name_with_a_zero_byte_says_so() -> None:
    with pytest.raises(LoadError, match="cannot be read"):
        load(Path("a\0b"))


def test_an_endless_file_is_refused() -> None:
    with pytest.raises(LoadError, match="larger than 1000 kB"):
        load(Path(os.devnull).with_name("zero"))


def test_problems_of_several_files_are_told_together(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("")
    with pytest.raises(LoadError) as caught:
        load_all([tmp_path / "a.yaml", *TOPOLOGIES, tmp_path / "b.yaml"])
    assert [Path(problem.file).name for problem in caught.value.problems] == ["a.yaml", "b.yaml"]


def test_merge_keys_and_aliases_work_and_what_a_mapping_says_itself_wins() -> None:
    topology = check(
        SOUND.replace(
            "  alice: {os: windows10, behind: home,",
            "  bob: &bob {os: linux, behind: home, protocols: [IkeV2]}\n"
            "  alice: {<<: *bob, os: windows10, behind: home,",
        )
    )
    assert topology.clients["alice"].os == "windows10"
    assert topology.clients["alice"].dials == ("IkeV2",)


def test_plain_words_are_those_of_yaml_1_2() -> None:
    topology = check(SOUND.replace("story: Somebody connects.", "story: no"))
    assert topology.story == "no"


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_loaded_or_refused(content: bytes) -> None:
    _loaded_or_refused(content)


@settings(max_examples=300)
@given(st.text(alphabet="ab:-[]{}&*!|>'\"#,%@`?~<\t\n 019", max_size=80))
def test_any_yaml_like_text_is_loaded_or_refused(text: str) -> None:
    _loaded_or_refused(text.encode())


WORDS = st.text(max_size=8)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300)
@given(st.data())
def test_a_topology_with_junk_anywhere_is_loaded_or_refused(data: st.DataObject) -> None:
    document = yaml.safe_load(SOUND)
    for _ in range(data.draw(st.integers(1, 3))):
        node = document
        while isinstance(node, dict | list) and node:
            keys = sorted(node) if isinstance(node, dict) else range(len(node))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(node[key], dict | list) or data.draw(st.booleans()):
                node[key] = data.draw(JUNK)
                break
            node = node[key]
    _loaded_or_refused(yaml.safe_dump(document, allow_unicode=True).encode())


def _loaded_or_refused(content: bytes) -> None:
    told: Iterable[Located] = ()
    try:
        load_bytes(content, "t.yaml", SOURCE)
    except LoadError as error:
        told = error.problems
    lines = content.count(b"\n") + content.count(b"\r") + 1
    assert all(1 <= problem.line <= lines for problem in told)
