"""A revoked certificate that is changed so that its thumbprint is another one stays out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz import der
from tests.fuzz.targets import keys
from tests.fuzz.targets.certificates import ORDER, evades, judged, known, tbs_of, twin
from tests.fuzz.targets.keys import Kind

KINDS: tuple[Kind, ...] = ("rsa", "ec")


def chain(kind: Kind, *, direct: bool) -> list[bytes]:
    if direct:
        return [keys.der(keys.leaf(kind))]
    return [keys.der(keys.leaf(kind, "bob", direct=False)), keys.der(keys.intermediate(kind))]


def one_byte_changes(certificate: bytes) -> Iterator[bytes]:
    """Of each byte: its first and last bit turned over, and the ends of its range."""
    for at, byte in enumerate(certificate):
        for value in {byte ^ 1, byte ^ 0x80, 0, 0xFF}:
            if value != byte:
                yield certificate[:at] + bytes((value,)) + certificate[at + 1 :]


def other_lengths(certificate: bytes) -> Iterator[bytes]:
    """BER: each length in more bytes than it needs, or indefinite; bytes behind the end."""
    count = len(der.all_of(der.read(certificate) or []))
    for place in range(count):
        for form in (1, 2, 3, -1):
            nodes = der.read(certificate) or []
            siblings, at = der.all_of(nodes)[place]
            siblings[at].form = form
            yield der.write(nodes)
    yield certificate + b"\0"


def signatures(certificate: bytes) -> Iterator[bytes]:
    """The same one with unused bits; ECDSA's other one; its numbers with zeros before them."""
    yield twin(certificate)
    nodes = der.read(certificate) or []
    bits = der.signature_of(nodes)
    assert bits
    content = der.bits_of(bits)
    for unused in range(1, 256):
        bits.body = bytes((unused,)) + content[1:]
        yield der.write(nodes)
    for more in (b"\0", b"\0\0", b"\xff"):
        bits.body = content + more
        yield der.write(nodes)
        bits.body = b"\0" + more + content[1:]
        yield der.write(nodes)
    numbers = der.read(content[1:])
    for number in numbers[0].body if numbers else ():
        assert isinstance(number, der.Node)
        old = number.body
        assert isinstance(old, bytes)
        for new in (b"\0" + old, b"\0\0" + old, (int.from_bytes(old) + ORDER).to_bytes(33)):
            number.body = new
            bits.body = b"\0" + der.write(numbers or [])
            yield der.write(nodes)
        number.body = old


@pytest.mark.parametrize("direct", [True, False], ids=["of the root", "of an intermediate"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_certificates_themselves_are_good_and_known(kind: Kind, direct: bool) -> None:
    certificates = chain(kind, direct=direct)
    assert known()[tbs_of(certificates[0])] in (judged(certificates) or ())


@pytest.mark.parametrize("changes", [one_byte_changes, other_lengths, signatures])
@pytest.mark.parametrize("kind", KINDS)
def test_no_change_of_a_revoked_certificate_gets_in(kind: Kind, changes: object) -> None:
    assert callable(changes)
    leaf, *others = chain(kind, direct=True)
    evading = [changed.hex() for changed in changes(leaf) if evades([changed, *others])]
    assert not evading
