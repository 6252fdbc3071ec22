"""JUnit XML as both Jenkins' schema (xunit-plugin, junit-10.xsd) and Surefire's (3.x) allow it.

What both have in common, as a table: Surefire's wants more attributes and an order, Jenkins' has
`testsuites`. A file that is in order here is valid by both; an element or attribute that is not in
the table is refused.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.etree.ElementTree import Element

SECONDS = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]{0,3})?")
COUNT = re.compile(r"[0-9]+")
ANY = re.compile(r"(?s).*")


class Rule(NamedTuple):
    """What an element may have."""

    required: dict[str, re.Pattern[str]]
    optional: dict[str, re.Pattern[str]] = {}  # noqa: RUF012 (a default that nobody changes)
    children: tuple[str, ...] = ()
    """In this order."""
    text: bool = False


_NAMED = {"name": ANY}
_COUNTS = {"tests": COUNT, "failures": COUNT, "errors": COUNT}
_OUTCOME = Rule({"type": ANY}, {"message": ANY}, text=True)
RULES = {
    "testsuites": Rule({}, {**_NAMED, **_COUNTS, "time": SECONDS}, ("testsuite",)),
    "testsuite": Rule(
        {**_NAMED, **_COUNTS, "skipped": COUNT},
        {"time": SECONDS, "group": ANY},
        ("properties", "testcase"),
    ),
    "properties": Rule({}, {}, ("property",)),
    "property": Rule({**_NAMED, "value": ANY}),
    "testcase": Rule(
        {**_NAMED, "time": SECONDS},
        {"classname": ANY, "group": ANY},
        ("failure", "skipped", "error", "system-out", "system-err"),
    ),
    "failure": _OUTCOME,
    "error": _OUTCOME,
    "skipped": Rule({}, {"message": ANY}, text=True),
    "system-out": Rule({}, text=True),
    "system-err": Rule({}, text=True),
}


def flaws(root: Element) -> list[str]:
    """What both schemas have against it."""
    found = [] if root.tag in ("testsuites", "testsuite") else [f"the root is {root.tag}"]
    for element in root.iter():
        found += _of(element)
    return found


def _of(element: Element) -> list[str]:
    rule = RULES.get(element.tag)
    if rule is None:
        return [f"there is no element {element.tag}"]
    known = {**rule.required, **rule.optional}
    found = [f"{element.tag} lacks {name}" for name in rule.required.keys() - element.keys()]
    for name, value in element.items():
        if name not in known:
            found.append(f"{element.tag} has no attribute {name}")
        elif not known[name].fullmatch(value):
            found.append(f"{name} of {element.tag} is {value!r}")
    places = [rule.children.index(c.tag) if c.tag in rule.children else -1 for c in element]
    if -1 in places or places != sorted(places):
        found.append(f"{element.tag} has children {[child.tag for child in element]}")
    texts = [element.text or "", *(child.tail or "" for child in element)]
    if not rule.text and "".join(texts).strip():
        found.append(f"{element.tag} has text")
    return found
