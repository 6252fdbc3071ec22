"""HTML and XML out of elements: text and attributes are escaped by construction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element

from radius.printable import printable

LONGEST = 4000
"""Characters of a text; the rest is cut off."""
Child = Element | str | None
"""None: nothing."""


def element(
    tag: str, attributes: Mapping[str, object] | None = None, *children: Child | Iterable[Child]
) -> Element:
    """An element with what is in it, in that order. Attributes that are None are left out."""
    made = Element(tag)
    for name, value in (attributes or {}).items():
        if value is not None:
            made.set(name, visible(str(value)))
    for child in children:
        parts = [child] if child is None or isinstance(child, str | Element) else child
        for part in parts:
            _add(made, part)
    return made


def visible(text: str, longest: int = LONGEST) -> str:
    """The text without characters that XML forbids or that nobody sees; its lines stay."""
    lines = text[:longest].split("\n")
    shown = "\n".join(printable(line.expandtabs(4), longest) for line in lines)
    return shown if len(text) <= longest else f"{shown} …"


def _add(parent: Element, child: Child) -> None:
    if isinstance(child, Element):
        parent.append(child)
    elif child:
        text = visible(child)
        if len(parent):
            parent[-1].tail = (parent[-1].tail or "") + text
        else:
            parent.text = (parent.text or "") + text
