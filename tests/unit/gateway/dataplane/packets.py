"""IPv4 packets made by hand, and a reference of the kernel's segmentation (virtio_net_hdr)."""

from __future__ import annotations

import struct

from gateway.dataplane.ip import checksum

ADDRESS = bytes((172, 16, 0, 2))
VNET = bytes((10, 1, 1, 4))
NEEDS_CSUM, TCPV4, UDP_L4, ECN = 1, 1, 5, 0x80


def ip(protocol: int, body: bytes, **fields: int | bytes) -> bytes:
    """Fields: tos, id, fragment (flags and offset), ttl, source, destination, options."""
    options = fields.get("options", b"")
    source, destination = fields.get("source", ADDRESS), fields.get("destination", VNET)
    assert isinstance(options, bytes)
    assert isinstance(source, bytes)
    assert isinstance(destination, bytes)
    size = 20 + len(options)
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x40 | size // 4, fields.get("tos", 0), size + len(body),
        fields.get("id", 0), fields.get("fragment", 0x4000), fields.get("ttl", 64), protocol, 0,
        source, destination,
    ) + options  # fmt: skip
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + body


def pseudo(packet: bytes, length: int) -> bytes:
    return packet[12:20] + bytes((0, packet[9])) + length.to_bytes(2, "big")


def signed(packet: bytes) -> bytes:
    """The packet with a right TCP or UDP checksum."""
    l4 = (packet[0] & 15) * 4
    at = l4 + (16 if packet[9] == 6 else 6)
    bare = packet[:at] + b"\0\0" + packet[at + 2 :]
    value = checksum(pseudo(bare, len(bare) - l4) + bare[l4:])
    if packet[9] == 17 and not value:
        value = 0xFFFF
    return bare[:at] + value.to_bytes(2, "big") + bare[at + 2 :]


def tcp(payload: bytes, **fields: int | bytes) -> bytes:
    """Fields: port, seq, ack, flags, window, urgent, tcp_options, and those of ip()."""
    options = fields.pop("tcp_options", b"")
    assert isinstance(options, bytes)
    head = struct.pack(
        ">HHIIBBHHH", fields.pop("port", 1000), 80, fields.pop("seq", 1), fields.pop("ack", 1),
        (20 + len(options)) // 4 << 4, fields.pop("flags", 0x10), fields.pop("window", 500), 0,
        fields.pop("urgent", 0),
    )  # fmt: skip
    return signed(ip(6, head + options + payload, **fields))


def udp(payload: bytes, **fields: int | bytes) -> bytes:
    """Fields: port, and those of ip()."""
    head = struct.pack(">HHHH", fields.pop("port", 1000), 53, 8 + len(payload), 0)
    return signed(ip(17, head + payload, **fields))


def gso(
    packet: bytes, each: int, kind: int | None = None, *, l4: int = 20, flags: int = NEEDS_CSUM
) -> bytes:
    """As the TUN gives it: its checksum the pseudo header's alone, a virtio_net_hdr before it."""
    offset = 16 if packet[9] == 6 else 6
    if kind is None:
        kind = TCPV4 if packet[9] == 6 else UDP_L4
    partial = ~checksum(pseudo(packet, len(packet) - l4)) & 0xFFFF
    at = l4 + offset
    changed = packet[:at] + partial.to_bytes(2, "big") + packet[at + 2 :]
    return struct.pack("=BBHHHH", flags, kind, l4, each, l4, offset) + changed


def expand(data: bytes) -> list[bytes]:
    """The packets that the kernel makes of what is written to the TUN (or refuses: AssertionError).

    Only the last segment has PSH and FIN, only the first CWR; identifications count up.
    """
    flags, kind, _, each, start, offset = struct.unpack("=BBHHHH", data[:10])
    packet = data[10:]
    l4 = (packet[0] & 15) * 4
    assert packet[2] << 8 | packet[3] == len(packet)
    if flags & NEEDS_CSUM:
        assert (start, offset) == (l4, 16 if packet[9] == 6 else 6)
        at = start + offset
        partial = ~checksum(pseudo(packet, len(packet) - l4)) & 0xFFFF
        assert packet[at : at + 2] == partial.to_bytes(2, "big")
    kind &= ~ECN
    if not kind:
        return [signed(packet) if flags & NEEDS_CSUM else packet]
    assert flags & NEEDS_CSUM
    assert each
    assert {TCPV4: 6, UDP_L4: 17}[kind] == packet[9]
    header = l4 + (8 if kind == UDP_L4 else (packet[l4 + 12] >> 4) * 4)
    body = packet[header:]
    assert kind == TCPV4 or len(body) <= 64 * each
    parts = range(0, len(body), each)
    return [_segment(packet, l4, header, number * each, each) for number in range(len(parts))]


def _segment(packet: bytes, l4: int, header: int, at: int, each: int) -> bytes:
    body = packet[header + at : header + at + each]
    head = bytearray(packet[:header])
    struct.pack_into(">H", head, 2, header + len(body))
    identification = (head[4] << 8 | head[5]) + at // each
    struct.pack_into(">HH", head, 4, identification & 0xFFFF, head[6] << 8 | head[7])
    head[10:12] = b"\0\0"
    struct.pack_into(">H", head, 10, checksum(head[:l4]))
    if packet[9] == 6:
        sequence = int.from_bytes(head[l4 + 4 : l4 + 8], "big") + at
        struct.pack_into(">I", head, l4 + 4, sequence & 0xFFFFFFFF)
        if header + at + each < len(packet):
            head[l4 + 13] &= ~0x09 & 0xFF
        if at:
            head[l4 + 13] &= 0x7F
    else:
        struct.pack_into(">H", head, l4 + 4, 8 + len(body))
    return signed(bytes(head) + body)
