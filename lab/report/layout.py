"""Where things are in a picture: pixels, computed, so that a page needs no script.

Text is wrapped here, by the width of a wide font: what is computed is what a browser shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from textwrap import wrap
from typing import TYPE_CHECKING

from lab.choices import counted
from lab.report.picture import SIGNS

if TYPE_CHECKING:
    from lab.report.picture import Box, Group, Mark, Picture, Segment, Strand

WIDTH = 1200
PAD, GAP = 12, 14
TITLE, LINE = 19, 16
"""Heights of lines: 14 px bold, and 12 px."""
TITLE_LETTER, BOLD, LETTER = 8.6, 7.8, 6.9
"""Their widths, of DejaVu Sans, which is wider than most; BOLD: 12 px, too."""
INNER, EDGE = 184, 216
"""Widths of boxes in a VNet or site: hosts, and what is towards the Internet."""
NEAR = 3 * PAD + INNER + EDGE
MIDDLE, MIDDLE_WIDTH = NEAR + 104, 116
FAR = 760
ROUTER, CLIENT = 184, 186
CROWD = 8
"""Clients of an access network beyond which they are small, and have no strands of their own."""
COLUMNS = 7
"""Of small boxes, below all others."""
STRANDS_APART, LABELS_APART = 6, 16


@dataclass(frozen=True)
class Text:
    """A text of a box, in as many lines as it needs."""

    lines: list[str]
    mark: Mark | None = None
    """Which says it."""


@dataclass
class Placed:
    """A box with its place in the picture, in pixels."""

    box: Box
    x: float
    y: float
    width: float
    title: list[str]
    texts: list[Text]
    least: float = 0.0
    """The height that what ends at it needs."""

    @property
    def height(self) -> float:
        """Of its text, at least."""
        return max(self.least, self._text_height)

    @property
    def _text_height(self) -> float:
        return PAD + TITLE * len(self.title) + LINE * sum(len(text.lines) for text in self.texts)


@dataclass
class Frame:
    """A group's or a subnet's frame, with a title."""

    kind: str
    title: str
    prefix: str
    x: float
    y: float
    width: float
    height: float = 0.0
    boxes: list[Placed] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)

    def all_boxes(self) -> Iterator[Placed]:
        """Its own, and those of the frames in it."""
        yield from self.boxes
        for frame in self.frames:
            yield from frame.all_boxes()

    def move(self, down: float) -> None:
        """Move it with all that is in it."""
        self.y += down
        for box in self.boxes:
            box.y += down
        for frame in self.frames:
            frame.move(down)


@dataclass(frozen=True)
class Line:
    """A line or a tunnel: an SVG path."""

    path: str
    kind: str
    """`link`, or the state of a tunnel."""


@dataclass(frozen=True)
class Label:
    """Words at a strand; `kind` says its state, and on which side of x they are."""

    x: float
    y: float
    text: str
    kind: str


@dataclass
class Layout:
    """The whole picture."""

    height: float
    frames: list[Frame]
    internet: Placed
    lines: list[Line]
    labels: list[Label]


def layout(picture: Picture) -> Layout:
    """Place everything."""
    ends = Counter(name for strand in picture.strands for name in (strand.gateway, strand.far))
    near = [_near(group, ends) for group in picture.near]
    far = [_far(group, ends) for group in picture.far]
    height = max(_stacked(near), _stacked(far), 120)
    for frames in (near, far):
        _centre(frames, height)
    internet = _placed(picture.internet, MIDDLE, 0, MIDDLE_WIDTH)
    internet.y = (height - internet.height) / 2
    crowds = []
    for group in picture.far:
        if _crowded(group):
            crowds.append(_crowd(group, height + 2 * GAP))
            height += 2 * GAP + crowds[-1].height
    lines = _Lines(picture, near, far, internet)
    frames = [*near, *far, *crowds]
    return Layout(height, frames, internet, list(lines.drawn()), lines.labels)


def _near(group: Group, ends: Mapping[str, int]) -> Frame:
    """Hosts at the left, what is towards the Internet at the right."""
    frame = Frame(group.kind.lower(), f"{group.kind} {group.name}", group.prefix, 0, 0, NEAR)
    top = _top(frame)
    y = top
    for segment in group.inner:
        y = _segment(frame, segment, y)
    inner = y - (GAP if y > top else 0)
    edge = _stack(frame, group.edge, frame.x + 2 * PAD + INNER, top, EDGE, ends=ends)
    frame.height = max(inner, edge) + PAD
    _middle_of(frame.boxes, frame.y + frame.height - PAD)
    return frame


def _segment(frame: Frame, segment: Segment, y: float) -> float:
    """A subnet in a frame of its own, or hosts without one; where the next one begins."""
    if not segment.title:
        inside = Frame("lan", "", "", frame.x + PAD, y, INNER)
        bottom = _stack(inside, segment.boxes, inside.x, y, INNER)
        inside.height = bottom - y
    else:
        inside = Frame("subnet", segment.title, segment.prefix, frame.x + PAD, y, INNER)
        top = _top(inside)
        width = INNER - 2 * PAD
        inside.height = _stack(inside, segment.boxes, inside.x + PAD, top, width) + PAD - y
    frame.frames.append(inside)
    return y + inside.height + GAP


def _far(group: Group, ends: Mapping[str, int]) -> Frame:
    """The router at the left, its clients at the right, unless they are many."""
    frame = Frame("access", f"LAN {group.name}", group.prefix, FAR, 0, WIDTH - FAR)
    top = _top(frame)
    inside = Frame("lan", "", "", frame.x, top, frame.width)
    edge = _stack(frame, group.edge, frame.x + PAD, top, ROUTER, ends=ends)
    left = frame.x + frame.width - PAD - CLIENT
    clients = [] if _crowded(group) else _clients(group)
    bottom = max(edge, _stack(inside, clients, left, top, CLIENT))
    _middle_of(frame.boxes, bottom)
    inside.height = bottom - top
    frame.frames.append(inside)
    frame.height = bottom + PAD - frame.y
    return frame


def _clients(group: Group) -> list[Box]:
    return [box for segment in group.inner for box in segment.boxes]


def _crowded(group: Group) -> bool:
    return len(_clients(group)) > CROWD


def _crowd(group: Group, y: float) -> Frame:
    """Many clients as small boxes in rows, below all others; a row is as high as its highest."""
    boxes = [_small(box) for box in _clients(group)]
    frame = Frame("access", f"{len(boxes)} clients in LAN {group.name}", "", 0, y, WIDTH)
    gap = PAD / 2
    each = (WIDTH - 2 * PAD - gap * (COLUMNS - 1)) / COLUMNS
    y = _top(frame)
    for start in range(0, len(boxes), COLUMNS):
        row = [
            _placed(box, PAD + place * (each + gap), y, each)
            for place, box in enumerate(boxes[start : start + COLUMNS])
        ]
        frame.boxes += row
        y += max(box.height for box in row) + gap
    frame.height = y - gap + PAD - frame.y
    return frame


def _small(box: Box) -> Box:
    marks = tuple(replace(mark, words=mark.short or mark.words) for mark in box.marks)
    return replace(box, lines=box.lines[:1], marks=marks)


def _top(frame: Frame) -> float:
    """Where the content of a frame begins: below its title, which may need two lines."""
    if not frame.title:
        return frame.y
    long = len(frame.title) + len(frame.prefix) + 1 > (frame.width - 2 * PAD) / LETTER
    return frame.y + PAD + TITLE + (LINE if long else 0)


def _stack(
    frame: Frame,
    boxes: Sequence[Box],
    x: float,
    y: float,
    width: float,
    *,
    ends: Mapping[str, int] | None = None,
) -> float:
    """Boxes in the frame, one below the other; where they end. `ends`: how many strands end at
    each, for which it is high enough."""
    for box in boxes:
        placed = _placed(box, x, y, width)
        placed.least = LABELS_APART * (ends or {}).get(box.name, 0)
        frame.boxes.append(placed)
        y += placed.height + GAP
    return y - GAP if boxes else y


def _placed(box: Box, x: float, y: float, width: float) -> Placed:
    room = width - 2 * 9
    texts = [Text(wrap(text, int(room / LETTER))) for text in box.lines]
    texts += [Text(wrap(mark.text, int(room / BOLD)), mark) for mark in box.marks]
    return Placed(box, x, y, width, wrap(box.name, int(room / TITLE_LETTER)), texts)


def _middle_of(boxes: Sequence[Placed], bottom: float) -> None:
    """Move boxes, stacked from the top, into the middle."""
    if boxes:
        down = (bottom - (boxes[-1].y + boxes[-1].height)) / 2
        for box in boxes:
            box.y += max(0.0, down)


def _stacked(frames: Sequence[Frame]) -> float:
    return sum(frame.height for frame in frames) + 2 * GAP * max(0, len(frames) - 1)


def _centre(frames: Sequence[Frame], height: float) -> None:
    y = (height - _stacked(frames)) / 2
    for frame in frames:
        frame.move(y - frame.y)
        y += frame.height + 2 * GAP


class _Lines:
    """Cables, and tunnels along them."""

    def __init__(
        self, picture: Picture, near: Sequence[Frame], far: Sequence[Frame], internet: Placed
    ) -> None:
        self._picture = picture
        self._near, self._far = near, far
        self._internet = internet
        self._at = {one.box.name: one for frame in (*near, *far) for one in frame.all_boxes()}
        names = (group.name for group in picture.near)
        self._vnets = dict(zip(names, near, strict=True))
        self.labels: list[Label] = []

    def drawn(self) -> Iterator[Line]:
        """Every line, cables first."""
        for frame in self._near:
            yield from self._cables_of_near(frame)
        for frame in self._far:
            yield from self._cables_of_far(frame)
        strands = self._picture.strands
        yield from self._bundles([strand for strand in strands if strand.clients])
        for number, strand in enumerate(strand for strand in strands if not strand.clients):
            yield self._beside(number, strand)

    def _cables_of_near(self, frame: Frame) -> Iterator[Line]:
        for edge in frame.boxes:
            for inner in frame.frames:
                yield from (_curve(_right(host), _left(edge), "link") for host in inner.boxes)
            yield _curve(_right(edge), _left(self._internet), "link")

    def _cables_of_far(self, frame: Frame) -> Iterator[Line]:
        router, *proxies = frame.boxes
        yield _curve(_right(self._internet), _left(router), "link")
        for inner in frame.frames:
            yield from (_curve(_right(router), _left(client), "link") for client in inner.boxes)
        for proxy in proxies:
            x = router.x + router.width / 2
            yield Line(f"M{x:.0f} {router.y + router.height:.0f}V{proxy.y:.0f}", "link")

    def _bundles(self, strands: Sequence[Strand]) -> Iterator[Line]:
        """Client tunnels: gateway, Internet, router, client. They are labelled where they are
        fewer at a time."""
        at_router = len(self._far) >= len({strand.gateway for strand in strands})
        apart = (STRANDS_APART, LABELS_APART) if at_router else (LABELS_APART, STRANDS_APART)
        from_gateway = _spread([strand.gateway for strand in strands], apart[0])
        from_router = _spread([strand.far for strand in strands], apart[1])
        through = _spread(["" for _ in strands], self._internet.height / (len(strands) + 2))
        for number, strand in enumerate(strands):
            gateway, router = self._at[strand.gateway], self._at[strand.far]
            kind = strand.state or "link"
            y = self._internet.y + self._internet.height / 2 + through[number]
            start = _moved(_right(gateway), from_gateway[number])
            end = _moved(_left(router), from_router[number])
            yield _curve(start, (self._internet.x, y), kind)
            yield _curve((_right(self._internet)[0], y), end, kind)
            self._label(strand, (FAR - 8, end[1]) if at_router else (NEAR + 8, start[1]))
            yield from self._to_clients(router, strand, kind)

    def _label(self, strand: Strand, at: tuple[float, float]) -> None:
        assert strand.state
        count = len(strand.clients)
        words = counted(count, "tunnel") if strand.state == "stood" else f"{count} {strand.state}"
        side = "right" if at[0] < MIDDLE else "left"
        text = f"{SIGNS[strand.state]} {words}"
        self.labels.append(Label(at[0], at[1] + 4, text, f"{strand.state} {side}"))

    def _to_clients(self, router: Placed, strand: Strand, kind: str) -> Iterator[Line]:
        for client in (self._at[name] for name in strand.clients if name in self._at):
            states = list(dict.fromkeys(mark.state for mark in client.box.marks if mark.tunnel))
            place = states.index(strand.state) if strand.state in states else 0
            down = (place + 1) * STRANDS_APART
            x, y = _right(router)
            left, top = _left(client)
            yield _curve((x, y + down), (left, top + down), kind)

    def _beside(self, number: int, strand: Strand) -> Line:
        """Between a gateway and a site or another gateway: outside of their frames."""
        ends: tuple[Placed | Frame, ...] = tuple(
            self._at.get(name) or self._vnets[name] for name in (strand.gateway, strand.far)
        )
        one, other = sorted(ends, key=lambda end: end.y)
        x = NEAR + GAP + number * STRANDS_APART
        (left, top), (right, bottom) = _right(one), _right(other)
        top, bottom = top + one.height / 4, bottom - other.height / 4
        path = (
            f"M{left:.0f} {top:.0f}Q{x:.0f} {top:.0f} {x:.0f} {top + GAP:.0f}"
            f"V{bottom - GAP:.0f}Q{x:.0f} {bottom:.0f} {right:.0f} {bottom:.0f}"
        )
        return Line(path, strand.state or "unknown")


def _spread(names: Sequence[str], apart: float) -> list[float]:
    """How far from the middle of its computer each strand ends."""
    counts, seen = Counter(names), Counter[str]()
    offsets = []
    for name in names:
        offsets.append((seen[name] - (counts[name] - 1) / 2) * apart)
        seen[name] += 1
    return offsets


def _left(end: Placed) -> tuple[float, float]:
    return end.x, end.y + end.height / 2


def _right(end: Placed | Frame) -> tuple[float, float]:
    return end.x + end.width, end.y + end.height / 2


def _moved(at: tuple[float, float], down: float) -> tuple[float, float]:
    return at[0], at[1] + down


def _curve(start: tuple[float, float], end: tuple[float, float], kind: str) -> Line:
    """Level at both ends."""
    (x1, y1), (x2, y2) = start, end
    half = (x1 + x2) / 2
    path = f"M{x1:.0f} {y1:.0f}C{half:.0f} {y1:.0f} {half:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    return Line(path, kind)
