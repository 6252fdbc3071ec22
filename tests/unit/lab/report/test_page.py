"""Report pages: complete, self-contained, and safe whatever strangers have written."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from lab.errors import MACHINE
from lab.report.map import drawn
from lab.report.markup import element
from lab.report.page import index_page, page
from lab.report.picture import Box, Group, Mark, Picture, Segment, Strand
from lab.runtime.journal import Line
from lab.runtime.protocol import Failed
from tests.rigs.played import BEGAN, TOPOLOGIES, played

VOID = {"meta", "br", "hr", "img", "input", "link", "base"}
TAGS = {"html", "head", "meta", "title", "style", "body", "header", "section", "div", "p", "pre",
        "b", "i", "h1", "h2", "h3", "h4", "a", "ul", "li", "span", "table", "tr", "td", "th",
        "details", "summary", "svg", "path", "text"}  # fmt: skip
ATTRIBUTES = {"lang", "charset", "name", "content", "http-equiv", "class", "id", "href", "title",
              "open", "style", "aria-hidden", "width", "height", "d", "x", "y"}  # fmt: skip
STYLES = re.compile(r"(--[a-z-]+:-?[0-9.]+(px|%);?)+")
HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "</style></title></pre><script>alert(1)</script><!--",
    "]]> &lt;script&gt; &amp;",
    "\x00\x1b[31m\u202e\ud800\uffff",
]


class Parsed(HTMLParser):
    """A page, in which every element is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        text.encode()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [value for one, value in self.attributes if one == name]

    @property
    def text(self) -> str:
        return "".join(self.words)


def checked(text: str) -> Parsed:
    """The page, which loads and runs nothing, and whose links lead somewhere."""
    parsed = Parsed(text)
    assert parsed.tags <= TAGS
    assert {name for name, _ in parsed.attributes} <= ATTRIBUTES
    assert all(STYLES.fullmatch(style) for style in parsed.values("style"))
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    for link in parsed.values("href"):
        assert link.removeprefix("#") in ids if link[0] == "#" else re.match(r"[\w-]+\.html", link)
    assert not re.search(r"url\(|@import|https?:", text)
    return parsed


@pytest.mark.parametrize("name", ["office", "personas", "quickstart", "throughput"])
def test_a_page_has_all_that_was_seen(name: str) -> None:
    file, verdict = played(name, failed=(2, 5))
    logs = [Line(BEGAN + n, "alice", "charon", f"line {n} of charon") for n in range(3)]
    verdict.lab["benchmarks"] = [{"gateway": "gw", "scale": 0.04, "mbps": 26.0}]
    parsed = checked(page(verdict.as_data(), file.topology, logs))
    assert "gw: 26 Mbit/s of throughput, 0.04 of its SKU's 650" in parsed.text
    for result in verdict.results:
        assert result.text in parsed.text
    for index in (2, 5):
        assert f"step-{index + 1}" in parsed.values("id")
        assert verdict.place(verdict.results[index]) in parsed.text
    for words in (verdict.story, f"NOT HELD: {verdict.held} of {verdict.expected} in 12.5 s",
                  "udp dport 500 drop", "change: let out udp/500", "line 2 of charon"):  # fmt: skip
        assert words in parsed.text


@pytest.mark.parametrize("words", HOSTILE)
def test_what_strangers_wrote_is_text(words: str) -> None:
    file, verdict = played("office", failed=(2,), words=words)
    document: dict[str, Any] = verdict.as_data()
    document["topology"] = document["file"] = document["story"] = words
    document["logs"] = words
    document["machine"] = [words]
    document["engines"] = [{"gateway": words, "protocol": words, "datapath": words}]
    document["benchmarks"] = [{"gateway": words, "scale": 0.1, "mbps": 65.0}]
    for row in (*document["steps"], *document["results"]):
        row["text"] = words
    logs = [Line(BEGAN, words, words, words)]
    topology = file.topology.model_copy(update={"name": words})
    parsed = checked(page(document, topology, logs))
    shown = words if words.isprintable() else "??[31m???"
    assert parsed.text.count(shown) > 40
    checked(index_page([document], ["1-office.html"]))


@pytest.mark.parametrize("words", HOSTILE)
def test_a_name_in_the_picture_is_text(words: str) -> None:
    box = Box(words, (words,), (Mark("failed", words, 0), Mark("stood", words)))
    groups = tuple(Group(k, words, words, (Segment(words, words, (box,)),), (box,))
                   for k in ("VNet", "Access"))  # fmt: skip
    strands = (Strand(words, words, "failed", (words,)), Strand(words, words, None, word=words))
    shape = drawn(Picture(groups[:1], box, groups[1:], strands))
    from xml.etree.ElementTree import tostring

    anchor = element("p", {"id": "step-1"})
    checked(tostring(element("div", {}, anchor, shape), "unicode", method="html"))


def test_a_lab_that_was_not_built_says_why() -> None:
    file, verdict = played("quickstart")
    verdict.results.clear()
    verdict.add(Failed(message="no TUN", remedy="modprobe tun", code=MACHINE))
    parsed = checked(page(verdict.as_data(), file.topology, []))
    assert "failed: 0 of 21" in parsed.text
    assert "no TUN" in parsed.text
    assert parsed.text.count("not carried out") == 21
    index = checked(index_page([verdict.as_data()], ["1-quickstart.html"]))
    assert "0 of 1 file held" in index.text
    assert "1-quickstart.html#failure" in index.values("href")


def test_an_index_leads_to_every_page_and_failure() -> None:
    documents = [played(name, failed)[1].as_data() for name, failed in
                 (("office", (2,)), ("quickstart", ()))]  # fmt: skip
    parsed = checked(index_page(documents, ["1-office.html", "2-quickstart.html"]))
    assert parsed.values("href") == ["1-office.html#step-3", "1-office.html", "2-quickstart.html"]
    assert "1 of 2 files held" in parsed.text


def test_every_topology_has_a_page() -> None:
    for path in TOPOLOGIES.glob("*.yaml"):
        file, verdict = played(path.stem, failed=(0,))
        checked(page(verdict.as_data(), file.topology, []))
