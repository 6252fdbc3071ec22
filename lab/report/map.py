"""The picture of a lab as HTML: boxes with their places, and lines behind them as SVG.

Wide screens show the boxes at their places; on others they are a list, and the lines are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from lab.report.layout import WIDTH, Frame, Placed, Text, layout
from lab.report.markup import element
from lab.report.picture import SIGNS

if TYPE_CHECKING:
    from lab.report.layout import Layout
    from lab.report.picture import Picture, State

WORDS: dict[State, str] = {
    "stood": "a tunnel that stood",
    "refused": "refused, as it was expected",
    "failed": "an expectation did not hold",
}


def drawn(picture: Picture) -> Element:
    """The picture with its legend."""
    made = layout(picture)
    left = [frame for frame in made.frames if frame.kind != "access"]
    right = [frame for frame in made.frames if frame.kind == "access"]
    return element(
        "div",
        {"class": "map", "style": f"--map-h:{made.height:.0f}px"},
        _lines(made),
        [_frame(frame, 0, 0) for frame in left],
        _box(made.internet, 0, 0),
        [_frame(frame, 0, 0) for frame in right],
    )


def legend() -> Element:
    """What the signs and lines mean."""
    return element(
        "p",
        {"class": "legend"},
        [
            element("span", {"class": f"state {state}"}, f"{SIGNS[state]} {words}")
            for state, words in WORDS.items()
        ],
    )


def _lines(made: Layout) -> Element:
    size = {"width": WIDTH, "height": f"{made.height:.0f}"}
    paths = [element("path", {"d": line.path, "class": line.kind}) for line in made.lines]
    labels = [
        element("text", {"x": f"{one.x:.0f}", "y": f"{one.y:.0f}", "class": one.kind}, one.text)
        for one in made.labels
    ]
    return element("svg", {"aria-hidden": "true", **size}, paths, labels)


def _frame(frame: Frame, x: float, y: float) -> Element:
    """A frame; `x` and `y` are the place of what it is in."""
    title = element("h3", {}, element("b", {}, frame.title), " ", element("span", {}, frame.prefix))
    return element(
        "section",
        {
            "class": f"frame {frame.kind}",
            "style": _style(frame.x - x, frame.y - y, frame.width, frame.height),
        },
        title if frame.title else None,
        [_box(box, frame.x, frame.y) for box in frame.boxes],
        [_frame(inner, frame.x, frame.y) for inner in frame.frames],
    )


def _box(placed: Placed, x: float, y: float) -> Element:
    state = f" {placed.box.state}" if placed.box.state else ""
    return element(
        "div",
        {
            "class": f"box{state}",
            "style": _style(placed.x - x, placed.y - y, placed.width, placed.height),
        },
        [element("b", {}, line) for line in placed.title],
        [_text(text) for text in placed.texts],
    )


def _text(text: Text) -> Element:
    """A text; that of a step that failed leads to it."""
    lines = [part for line in text.lines for part in (element("i", {}, line), " ")]
    mark = text.mark
    if mark is None:
        return element("span", {}, lines)
    kind = {"class": f"state {mark.state}"}
    if mark.step is None:
        return element("span", kind, lines)
    return element("a", {**kind, "href": f"#step-{mark.step + 1}"}, lines)


def _style(x: float, y: float, width: float, height: float) -> str:
    return f"--x:{x:.0f}px;--y:{y:.0f}px;--w:{width:.0f}px;--h:{height:.0f}px"
