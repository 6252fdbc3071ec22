"""The protocol between a supervisor and the agent in a user-mode Linux node.

Each job has one connection. A frame is one byte of kind, four of length (big endian), the payload.
The first frame is a REQUEST, a JSON object `{"do": ...}`:

run       argv, env, and `terminal` ([rows, columns], else null) or `input` (whether BODY frames
          with standard input follow; an empty one ends it) and `together` (whether stderr is the
          same stream as stdout, so that both keep their order). Answers: STARTED (the process id,
          JSON), then any number of OUTPUT, ERRORS and TAKEN (how many bytes of input the program
          has read, JSON), and ENDED (the exit code, JSON). The connection closes when no process
          can write to the outputs any more; if the supervisor closes it earlier, the program's
          session is killed. The supervisor may send SIGNAL, GROUP, KILL, SIZE.
read      path. BODY frames, then DONE.
write     path, mode. Then one BODY. DONE.
call      function (`module:name`), arguments, keywords. BODY, its result as JSON (a dataclass as
          an object), then DONE; or RAISED, `[kind, errno or null, text]`.
connect   path of a Unix socket. DONE; then the connection relays the socket's bytes.
kill      session. SIGKILL to every process of it. DONE.

The answer to an error of the system is FAILED: `[errno, text, path]`, JSON.

Root in the node controls the agent, so its answers are validated (lab.nodes.uml_answers).
"""

from __future__ import annotations

import json
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

REQUEST, BODY, DONE, FAILED, RAISED = b"Q", b"B", b"D", b"F", b"!"
STARTED, OUTPUT, ERRORS, TAKEN, ENDED = b"P", b"O", b"E", b"T", b"X"
SIGNAL = b"S"
"""To the program; the number, JSON."""
GROUP = b"G"
"""To the program's process group; the number, JSON."""
KILL = b"K"
"""SIGKILL to the program's session."""
SIZE = b"W"
"""The terminal's new size: [rows, columns], JSON."""
HEAD = struct.Struct(">cI")
CHUNK = 65536


def pack(kind: bytes, payload: bytes = b"") -> bytes:
    """A frame."""
    return HEAD.pack(kind, len(payload)) + payload


def pack_json(kind: bytes, value: Any) -> bytes:
    """A frame with a JSON payload."""
    return pack(kind, json.dumps(value).encode())


class Frames:
    """Splits a byte stream into frames; OverflowError for a frame of more than `most` bytes."""

    def __init__(self, most: int = 1 << 32) -> None:
        self._buffer = bytearray()
        self._most = most

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The frames that `data` completes: kind and payload."""
        self._buffer += data
        while len(self._buffer) >= HEAD.size:
            kind, length = HEAD.unpack_from(self._buffer)
            if length > self._most:
                raise OverflowError(f"a frame of {length} bytes")
            end = HEAD.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[HEAD.size : end])
            del self._buffer[:end]
            yield kind, payload
