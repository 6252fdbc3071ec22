"""EAP-TLS messages: a TLS handshake in memory, and its flights in fragments (RFC 5216 2.1.5, 3)."""

from __future__ import annotations

from OpenSSL import SSL, crypto

START = 0x20
_MORE = 0x40
_LENGTH = 0x80

LONGEST_MESSAGE = 32768
"""Maximum bytes of one flight: eight certificates with 4,096-bit RSA keys have 15 KB."""

MSK_LENGTH = 64
_LABEL = b"client EAP encryption"


class Fragments:
    """Splits outgoing flights into fragments of at most `size` bytes; reassembles incoming ones."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._out = b""
        self._in = bytearray()
        self._first = False

    @property
    def pending(self) -> bool:
        """Whether more fragments are to be sent once the other end acknowledges."""
        return bool(self._out)

    def load(self, message: bytes) -> None:
        """Set the flight to be sent."""
        self._out, self._first = message, True

    def next(self) -> bytes:
        """Flags, length (in the first of several) and a fragment; if none is left, an
        acknowledgement."""
        piece, rest = self._out[: self._size], self._out[self._size :]
        flags, length = (_MORE if rest else 0), b""
        if rest and self._first:
            flags |= _LENGTH
            length = len(self._out).to_bytes(4, "big")
        self._out, self._first = rest, False
        return bytes((flags,)) + length + piece

    def receive(self, data: bytes) -> bytes | None:
        """Handle a fragment: return the complete flight (empty: an acknowledgement), or None if
        more fragments follow.

        ValueError: it is malformed or too long.
        """
        if not data:
            raise ValueError("EAP-TLS without flags")
        flags = data[0]
        start = 5 if flags & _LENGTH else 1
        if len(data) < start:
            raise ValueError("EAP-TLS without its length")
        announced = int.from_bytes(data[1:5], "big") if flags & _LENGTH else 0
        if max(announced, len(self._in) + len(data) - start) > LONGEST_MESSAGE:
            raise ValueError(f"an EAP-TLS message of more than {LONGEST_MESSAGE >> 10} KB")
        self._in += data[start:]
        if flags & _MORE:
            return None
        whole, self._in = bytes(self._in), bytearray()
        return whole


class Handshake:
    """One end of a TLS connection without a socket. `error`: OpenSSL's message if it fails."""

    def __init__(self, context: SSL.Context, *, server: bool) -> None:
        self._connection = SSL.Connection(context, None)
        if server:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()
        self.done = False
        self.error = ""

    def step(self, flight: bytes) -> bytes:
        """Process the other end's flight; return our next one, an alert if the handshake fails."""
        try:
            if flight:
                self._connection.bio_write(flight)
            if not self.done:
                self._connection.do_handshake()
                self.done = True
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self.error = _explain(error)
        return self._drain()

    def msk(self) -> bytes:
        """RFC 5216 2.3: the first half of 128 bytes."""
        exported = self._connection.export_keying_material(_LABEL, 2 * MSK_LENGTH)
        return exported[:MSK_LENGTH]

    def chain(self) -> tuple[bytes, ...]:
        """The client's certificates, DER, leaf first; a server gets the leaf separately."""
        leaf = self._connection.get_peer_certificate()
        others = self._connection.get_peer_cert_chain() or []
        if leaf is None:
            return ()
        return tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, one) for one in (leaf, *others))

    def _drain(self) -> bytes:
        out = bytearray()
        while True:
            try:
                out += self._connection.bio_read(LONGEST_MESSAGE)
            except SSL.Error:
                return bytes(out)


def _explain(error: SSL.Error) -> str:
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(str(entry[-1]) for entry in queue) or "the TLS handshake failed"
