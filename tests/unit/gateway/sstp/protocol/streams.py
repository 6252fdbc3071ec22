"""The control messages of a call's streams."""

from __future__ import annotations

from gateway.sstp.protocol.packets import Control, Framer, Message, is_control, read_control


def controls(stream: bytes) -> list[Control]:
    """The control messages of one direction, after HTTP."""
    packets = Framer().feed(stream.partition(b"\r\n\r\n")[2])
    found = [read_control(packet) for packet in packets if is_control(packet)]
    return [control for control in found if isinstance(control, Control)]


def messages(stream: bytes) -> list[Message]:
    return [control.message for control in controls(stream)]
