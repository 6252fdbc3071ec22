"""Verdicts as JUnit XML: what Jenkins' and Surefire's schemas have in common, and all of them read.

A test suite for each file, a test case for each step. A lab that could not be built is an error in
a test case of its own, and its steps are skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, indent, tostring

from lab.report.markup import element, visible
from lab.report.told import told

_COUNTED = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
_BUILT = "the lab is built"
_NOT_DONE = "not carried out"
_LONGEST_MESSAGE = 400
"""Characters of the message, which is a row in CI systems; all of it is in the text."""


def junit(documents: Sequence[Mapping[str, Any]]) -> bytes:
    """The XML of verdicts (Verdict.as_data)."""
    suites = [_suite(document) for document in documents]
    totals = {key: sum(int(suite.get(key, 0)) for suite in suites) for key in _COUNTED}
    seconds = sum(document["seconds"] for document in documents)
    head = {"name": "p2slab", **totals, "time": f"{seconds:.3f}"}
    del head["skipped"]  # Jenkins' schema has it only for a suite
    root = element("testsuites", head, suites)
    indent(root)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _suite(document: Mapping[str, Any]) -> Element:
    cases = list(_cases(document))
    counts = {
        key: len(cases) if tag == "testcase" else sum(case.find(tag) is not None for case in cases)
        for key, tag in _COUNTED.items()
    }
    attributes = {
        "name": document["topology"],
        **counts,
        "time": f"{document['seconds']:.3f}",
    }
    about = {key: document[key] or "" for key in ("file", "story", "began", "logs")}
    properties = (element("property", {"name": k, "value": v}) for k, v in about.items())
    return element("testsuite", attributes, element("properties", {}, properties), cases)


def _cases(document: Mapping[str, Any]) -> Iterator[Element]:
    results = {result["index"]: result for result in document["results"]}
    numbers: Counter[str] = Counter()
    failure = document["failure"]
    if failure:
        message = failure["message"]
        text = "\n".join(filter(None, [message, failure["remedy"] and f"try: {failure['remedy']}"]))
        yield _case(
            document, _BUILT, 0, _outcome("error", f"exit code {failure['code']}", message, text)
        )
    for index, step in enumerate(document["steps"]):
        numbers[step["text"]] += 1
        number = numbers[step["text"]]
        # Jenkins takes cases of one name for one.
        name = f"{step['text']} ({number})" if number > 1 else step["text"]
        result = results.get(index)
        if result is None:
            yield _case(document, name, 0, element("skipped", {"message": _NOT_DONE}))
        elif result["held"]:
            yield _case(document, name, result["seconds"], None)
        else:
            lines = told(*(result[key] for key in ("detail", "evidence", "explanation")))
            text = "\n".join([f"{result['place']}: {result['text']}", *lines])
            outcome = _outcome("failure", "expectation", result["detail"], text)
            yield _case(document, name, result["seconds"], outcome)


def _case(
    document: Mapping[str, Any], name: str, seconds: float, outcome: Element | None
) -> Element:
    # The part before the last full stop is the package, by which CI systems group.
    suite = f"p2slab.{document['topology'].replace('.', '_')}"
    attributes = {"name": name, "classname": suite, "time": f"{seconds:.3f}"}
    return element("testcase", attributes, outcome)


def _outcome(tag: str, kind: str, message: str, text: str) -> Element:
    shown = visible(" ".join(message.split()), _LONGEST_MESSAGE)
    return element(tag, {"message": shown, "type": kind}, f"\n{text}\n")
