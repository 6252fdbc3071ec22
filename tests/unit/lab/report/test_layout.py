"""Pictures of labs: every computer once, boxes that do not touch, text that fits, and the tunnels
that stood."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise, product
from pathlib import Path

import pytest

from lab.report.layout import (
    BOLD,
    CROWD,
    LETTER,
    NEAR,
    TITLE_LETTER,
    WIDTH,
    Frame,
    Layout,
    Placed,
    layout,
)
from lab.report.picture import Box, Group, Picture, State, Strand, picture
from tests.rigs.played import TOPOLOGIES, played

ALL = sorted(TOPOLOGIES.glob("*.yaml"))
SHOWN_AS_FRAMES = {"vnet", "link"}
"""Kinds of nodes that are no boxes: a VNet's fabric, a private link."""


def made(name: str, failed: tuple[int, ...] = ()) -> tuple[Picture, Layout]:
    file, verdict = played(name, failed)
    shown = picture(file.topology, verdict.as_data()["results"])
    return shown, layout(shown)


def frames_of(frames: list[Frame]) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        yield from frames_of(frame.frames)


def inside(inner: Placed | Frame, outer: Frame) -> bool:
    return (
        outer.x <= inner.x
        and inner.x + inner.width <= outer.x + outer.width + 0.01
        and outer.y <= inner.y
        and inner.y + inner.height <= outer.y + outer.height + 0.01
    )


def apart(a: Placed | Frame, b: Placed | Frame) -> bool:
    return (
        a.x + a.width <= b.x
        or b.x + b.width <= a.x
        or a.y + a.height <= b.y
        or b.y + b.height <= a.y
    )


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_computer_is_there_once(path: Path) -> None:
    file, _ = played(path.stem)
    shown, placed = made(path.stem)
    nodes = sorted(node.name for node in file.plan().nodes if node.kind not in SHOWN_AS_FRAMES)
    assert sorted(box.name for box in shown.boxes()) == nodes
    boxes = [box for frame in placed.frames for box in frame.all_boxes()]
    assert sorted([placed.internet.box.name, *(box.box.name for box in boxes)]) == nodes
    addresses = file.plan().addresses
    for box in shown.boxes():
        assert any(addresses[box.name] in line for line in box.lines), box.name


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_nothing_overlaps_and_nothing_is_cut(path: Path) -> None:
    _, placed = made(path.stem, failed=(0, 1, 2))
    boxes = [placed.internet, *(box for frame in placed.frames for box in frame.all_boxes())]
    for a, b in combinations(boxes, 2):
        assert apart(a, b), (a.box.name, b.box.name)
    for a, b in combinations([*placed.frames, placed.internet], 2):
        assert apart(a, b)
    whole = Frame("", "", "", 0, 0, WIDTH, placed.height)
    for frame in frames_of(placed.frames):
        assert inside(frame, whole)
        assert all(inside(part, frame) for part in (*frame.boxes, *frame.frames))
    for box in boxes:
        room = box.width - 18
        assert max(map(len, box.title)) * TITLE_LETTER <= room + TITLE_LETTER
        for text in box.texts:
            letter = BOLD if text.mark else LETTER
            assert max(map(len, text.lines)) * letter <= room


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_labels_are_apart_and_beside_the_internet(path: Path) -> None:
    _, placed = made(path.stem, failed=(0, 1, 2))
    spots = sorted((label.x, label.y) for label in placed.labels)
    assert all(x1 != x2 or y2 - y1 >= 14 for (x1, y1), (x2, y2) in pairwise(spots))
    ends = [box for frame in placed.frames for box in frame.boxes]
    for label in placed.labels:
        assert any(box.y <= label.y - 4 <= box.y + box.height for box in ends), label.text
        width = len(label.text) * BOLD
        left = label.x if label.kind.endswith("right") else label.x - width
        inner = placed.internet
        assert left >= NEAR
        assert left + width <= inner.x or left >= inner.x + inner.width, label.text


def test_what_stood_and_what_failed_is_marked() -> None:
    shown, _ = made("office", failed=(0, 2, 4))
    marks = {box.name: [mark.text for mark in box.marks] for box in shown.boxes()}
    assert marks["carol"] == ["● IKEv2 172.16.201.3"]
    assert marks["bob"] == ["● SSTP 172.16.201.9"]
    assert marks["mallory"] == ["⊘ IKEv2 refused: password"]
    assert marks["alice"] == ["✗ step 3: connects over IkeV2 radius head-…",
                              "✗ step 5: reaches host app1 port 80"]  # fmt: skip
    assert marks["head-office"] == ["✗ step 1: tunnel is Connected"]
    assert marks["files"] == []
    strands = {(s.far, s.state): s.clients for s in shown.strands}
    assert strands == {
        ("home", "failed"): ("alice",),
        ("home", "stood"): ("carol",),
        ("home", "refused"): ("mallory",),
        ("hotel", "stood"): ("bob",),
        ("hotel", "refused"): ("eve",),
        ("head-office", "failed"): (),
    }


def test_a_failure_inside_of_a_tunnel_is_no_strand() -> None:
    shown, _ = made("office", failed=(4,))
    assert {s.state for s in shown.strands if "alice" in s.clients} == {"stood"}


def test_a_client_that_does_not_dial_is_no_strand() -> None:
    shown, _ = made("personas")
    asked = {box.name: {mark.words for mark in box.marks} for box in shown.boxes()}
    assert asked["macos-10-10"] == {"IKEv2, OpenVPN, SSTP refused: system"}
    assert not any("macos-10-10" in strand.clients for strand in shown.strands)


def test_a_crowd_stands_below_all_others() -> None:
    shown, placed = made("personas")
    (crowd,) = (frame for frame in placed.frames if "clients in LAN" in frame.title)
    assert len(crowd.boxes) == len([1 for g in shown.far for s in g.inner for _ in s.boxes]) > CROWD
    assert all(frame.y + frame.height <= crowd.y for frame in placed.frames if frame is not crowd)


def test_tunnels_between_vnets_and_private_links_are_drawn() -> None:
    for name, word in (("vnet-to-vnet", "VNet-to-VNet"), ("expressroute-radius", "private link")):
        shown, placed = made(name)
        (strand,) = (one for one in shown.strands if not one.clients)
        assert strand.word.startswith(word)
        kinds = [line.kind for line in placed.lines]
        assert (strand.state or "unknown") in kinds


def test_computers_are_as_high_as_their_strands_need() -> None:
    near = tuple(Group("VNet", f"vnet{n}", "", (), (Box(f"gw{n}"),)) for n in range(3))
    far = tuple(Group("Access", f"lan{n}", "", (), (Box(f"lan{n}"),)) for n in range(3))
    states: tuple[State, ...] = ("failed", "stood", "refused")
    strands = tuple(
        Strand(f"gw{g}", f"lan{n}", state, ("a",))
        for g, n, state in product(range(3), range(3), states)
    )
    placed = layout(Picture(near, Box("internet"), far, strands))
    ends = {box.box.name: box for frame in placed.frames for box in frame.boxes}
    assert len(placed.labels) == 27
    for label in placed.labels:
        assert any(box.y <= label.y - 4 <= box.y + box.height for box in ends.values())
