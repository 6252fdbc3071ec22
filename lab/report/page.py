"""Report pages: one for each lab, and an index of several. Self-contained HTML, without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, tostring

from lab.choices import counted
from lab.explain.model import stamp
from lab.report.map import drawn, legend
from lab.report.markup import element
from lab.report.picture import picture
from lab.report.style import STYLE
from lab.report.systems import WORDS
from lab.report.told import benchmark, quoted

if TYPE_CHECKING:
    from lab.runtime.journal import Line
    from lab.topology.model.topology import Topology

Document = Mapping[str, Any]
"""Of Verdict.as_data."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Of the page itself: whatever is in it, a browser loads and runs nothing."""
_MANY_ROWS = 40
"""Rows of a time line from which it is folded."""


def page(document: Document, topology: Topology, logs: Sequence[Line], index: str = "") -> str:
    """The page of one lab. `logs`: the ends of its programs' logs; `index`: the page to go back
    to, if there are several."""
    back = element("p", {}, element("a", {"href": index}, "all files")) if index else None
    return _html(
        f"{document['topology']}: {_word(document)}",
        back,
        _head(document),
        _list(_what_failed(document)),
        _section("The lab", drawn(picture(topology, document["results"])), legend()),
        _failures(document),
        _steps(document),
        _systems(document["systems"]),
        _times(document),
        _about(document),
        _logs(logs, document["logs"]),
    )


def index_page(documents: Sequence[Document], pages: Sequence[str]) -> str:
    """The page of several labs; `pages` are the names of theirs."""
    good = sum(document["held"] for document in documents)
    word = f"{good} of {counted(len(documents), 'file')} held"
    kind = "good" if good == len(documents) else "bad"
    rows = [
        element(
            "tr",
            {},
            element("td", {"class": _colour(document)}, element("b", {}, _word(document))),
            element("td", {}, _held(document)),
            element("td", {}, f"{document['seconds']:.1f} s"),
            element("td", {}, element("a", {"href": name}, document["topology"])),
            element("td", {}, document["file"]),
        )
        for document, name in zip(documents, pages, strict=True)
    ]
    names = ("verdict", "steps", "time", "lab", "file")
    heads = element("tr", {}, [element("th", {}, name) for name in names])
    failed = (
        (f"{name}{anchor}", place, text)
        for document, name in zip(documents, pages, strict=True)
        for anchor, place, text in _what_failed(document)
    )
    return _html(
        f"p2slab: {word}",
        element("h1", {}, "p2slab"),
        element("p", {"class": f"verdict {kind}"}, word),
        _list(failed),
        _section("Files", element("table", {}, heads, rows)),
    )


def _html(title: str, *parts: Element | None) -> str:
    head = element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY}),
        element("title", {}, title),
    )
    style = Element("style")
    style.text = STYLE
    head.append(style)
    root = element("html", {"lang": "en"}, head, element("body", {}, parts))
    return f"<!doctype html>\n{tostring(root, encoding='unicode', method='html')}\n"


def _section(title: str, *parts: Element | None) -> Element:
    return element("section", {}, element("h2", {}, title), parts)


def _word(document: Document) -> str:
    if document["failure"]:
        return "failed"
    return "HELD" if document["held"] else "NOT HELD"


def _colour(document: Document) -> str:
    return "stood" if document["held"] else "failed"


def _held(document: Document) -> str:
    held = sum(result["held"] for result in document["results"])
    return f"{held} of {len(document['steps'])}"


def _what_failed(document: Document) -> Iterator[tuple[str, str, str]]:
    """Anchor, place and text of each failure."""
    if document["failure"]:
        yield "#failure", document["file"], document["failure"]["message"]
    for result in document["results"]:
        if not result["held"]:
            yield f"#step-{result['index'] + 1}", result["place"], result["text"]


def _list(failed: Iterable[tuple[str, str, str]]) -> Element | None:
    """Links to what did not hold."""
    rows = [
        element("li", {}, element("a", {"href": link}, place), f": {text}")
        for link, place, text in failed
    ]
    return element("ul", {"class": "failed-steps"}, rows) if rows else None


def _head(document: Document) -> Element:
    kind = "good" if document["held"] else "bad"
    summary = f"{_word(document)}: {_held(document)} in {document['seconds']:.1f} s"
    began = f"{document['began'][:19].replace('T', ' ')} UTC"
    return element(
        "header",
        {},
        element("h1", {}, document["topology"]),
        element("p", {}, document["story"]),
        element("p", {"class": f"verdict {kind}"}, summary),
        element("p", {"class": "soft"}, f"{document['file']}; begun {began}"),
        _failure(document["failure"]),
    )


def _failure(failure: Mapping[str, Any] | None) -> Element | None:
    """Why the lab could not be built."""
    if not failure:
        return None
    remedy = element("p", {"class": "change"}, failure["remedy"]) if failure["remedy"] else None
    what = element("pre", {}, failure["message"])
    return element("div", {"class": "failure", "id": "failure"}, what, remedy)


def _failures(document: Document) -> Element | None:
    """Each step that did not hold, with what was seen and why."""
    failed = [
        element(
            "div",
            {"class": "failure", "id": f"step-{result['index'] + 1}"},
            element("h3", {}, f"✗ {result['text']}"),
            element("p", {"class": "soft"}, f"step {result['index'] + 1}, {result['place']}"),
            element("p", {}, result["detail"]),
            [element("p", {}, line) for line in quoted(result["evidence"], result["detail"])],
            _explanation(result["explanation"]),
        )
        for result in document["results"]
        if not result["held"]
    ]
    return _section("What did not hold", *failed) if failed else None


def _explanation(explanation: Mapping[str, Any] | None) -> list[Element]:
    if not explanation:
        return []
    parts = [element("h4", {}, explanation["sentence"])]
    for chain in explanation["chains"]:
        parts.append(element("p", {"class": "soft"}, f"{chain['way']}:"))
        reached = [layer for layer in chain["layers"] if layer["state"] != "not reached"]
        parts += [_layer(layer) for layer in reached]
        rest = [layer["layer"] for layer in chain["layers"] if layer not in reached]
        if rest:
            parts.append(element("p", {"class": "soft"}, f"not reached: {', '.join(rest)}"))
    return parts


def _layer(layer: Mapping[str, Any]) -> Element:
    words = layer.get("cause") or layer.get("seen")
    clock = element("span", {"class": "soft"}, f" {layer['at'][11:19]}") if "at" in layer else None
    proofs = [element("pre", {}, proof) for proof in layer.get("proof", ())]
    remedy = layer.get("remedy")
    return element(
        "div",
        {"class": "layer"},
        element("span", {"class": layer["state"]}, layer["state"]),
        element("span", {}, layer["layer"], clock),
        element(
            "div",
            {"class": "said"},
            element("p", {}, words) if words else None,
            proofs,
            element("p", {"class": "change"}, f"change: {remedy}") if remedy else None,
        ),
    )


def _steps(document: Document) -> Element:
    results = {result["index"]: result for result in document["results"]}
    rows = [_step(index, step, results.get(index)) for index, step in enumerate(document["steps"])]
    return _section("Steps", *rows)


def _step(index: int, step: Mapping[str, Any], result: Mapping[str, Any] | None) -> Element:
    if result is None:
        word, detail, seconds, more = "-", "not carried out", "", None
    else:
        word, detail = "held" if result["held"] else "FAILED", result["detail"]
        seconds = f"{result['seconds']:.2f} s"
        more = _evidence(result)
    text: Element | str = step["text"]
    if word == "FAILED":
        text = element("a", {"href": f"#step-{index + 1}"}, step["text"])
    return element(
        "div",
        {"class": "step"},
        element("span", {"class": "number"}, str(index + 1)),
        element("span", {"class": f"sign {word}"}, word),
        element("span", {}, text, element("span", {"class": "soft"}, f" (line {step['line']})")),
        element("span", {"class": "detail"}, detail),
        element("span", {"class": "seconds"}, seconds),
        more,
    )


def _evidence(result: Mapping[str, Any]) -> Element | None:
    """What programs and logs said."""
    if not result["evidence"]:
        return None
    rows = [
        element("p", {}, element("b", {}, f"{name}: "), _plain(value))
        for name, value in result["evidence"].items()
    ]
    summary = element("summary", {"class": "soft"}, "evidence")
    return element("details", {"class": "more"}, summary, rows)


def _plain(value: Any) -> str:
    """JSON data as text."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_plain(part)}" for key, part in value.items() if part != "")
    if isinstance(value, list | tuple):
        return "\n".join(map(_plain, value))
    return str(value)


def _systems(cells: Sequence[Mapping[str, Any]]) -> Element | None:
    """Client systems by protocol and authentication."""
    if not cells:
        return None
    columns = sorted({(cell["authentication"], cell["protocol"]) for cell in cells})
    at = {
        (c["system"], c["authentication"], c["protocol"]): ", ".join(c["outcomes"]) for c in cells
    }
    systems = list(dict.fromkeys(cell["system"] for cell in cells))
    heads = [
        element("th", {}, f"{WORDS.get(protocol, protocol)}, {how}") for how, protocol in columns
    ]
    rows = [
        element(
            "tr",
            {},
            element("th", {}, system),
            [element("td", {}, at.get((system, *column), "-")) for column in columns],
        )
        for system in systems
    ]
    head = element("tr", {}, element("th", {}, "system"), heads)
    return _section("Client systems", element("table", {}, head, rows))


def _times(document: Document) -> Element | None:
    """When each stage and step was, from the first to the last."""
    rows = [(stage["name"], "stage", stage) for stage in document["stages"]]
    rows += [
        (f"{result['index'] + 1}. {result['text']}", "" if result["held"] else "failed", result)
        for result in document["results"]
    ]
    timed = [row for row in rows if row[2]["began"]]
    if not timed:
        return None
    timed.sort(key=lambda row: row[2]["began"])
    first = timed[0][2]["began"]
    last = max(row["began"] + (row["seconds"] or 0) for _, _, row in timed)
    whole = max(last - first, 0.001)
    bars = [
        _bar(name, kind, row["began"] - first, row["seconds"] or 0, whole)
        for name, kind, row in timed
    ]
    summary = element("summary", {}, f"{counted(len(bars), 'row')}, {whole:.1f} s")
    attributes = {"open": "open"} if len(bars) <= _MANY_ROWS else {}
    return _section("Time line", element("details", attributes, summary, bars))


def _bar(name: str, kind: str, start: float, seconds: float, whole: float) -> Element:
    style = f"--from:{100 * start / whole:.2f}%;--part:{100 * seconds / whole:.2f}%"
    title = f"from {start:.2f} s, for {seconds:.2f} s"
    bar = element("span", {"class": "bar"}, element("i", {"class": kind, "style": style}))
    return element("div", {"class": "time", "title": title}, element("span", {}, name), bar)


def _about(document: Document) -> Element | None:
    """Warnings, engines, scales, kernels, and the machine."""
    rows = [f"{w['file']}:{w['line']}: warning: {w['message']}" for w in document["warnings"]]
    rows += [f"{e['gateway']}: {e['protocol']}: {e['datapath']}" for e in document["engines"]]
    rows += map(benchmark, document["benchmarks"])
    kernels = sorted((client["kernel"], client["name"]) for client in document["clients"])
    for kernel, group in groupby(kernels, lambda pair: pair[0]):
        rows.append(f"{', '.join(name for _, name in group)}: on {kernel}")
    rows += document["machine"]
    return _section("About this run", *(element("p", {}, row) for row in rows)) if rows else None


def _logs(lines: Sequence[Line], directory: str | None) -> Element:
    parts: list[Element] = []
    for (node, program), group in groupby(lines, lambda line: (line.node, line.program)):
        rows = [f"{_clock(line.time)} {line.text}" for line in group]
        summary = element("summary", {}, f"{node} {program} ({counted(len(rows), 'line')})")
        log = element("div", {"class": "log"}, [element("div", {}, row) for row in rows])
        parts.append(element("details", {}, summary, log))
    if not parts:
        parts.append(element("p", {"class": "soft"}, "there are none"))
    where = element("p", {"class": "soft"}, f"all of them: {directory}") if directory else None
    return _section("The ends of the logs", where, *parts)


def _clock(seconds: float) -> str:
    return stamp(seconds)[11:23]
