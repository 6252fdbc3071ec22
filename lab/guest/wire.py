"""What a supervisor and the agent in a user-mode Linux node say to each other.

One connection an errand. A frame is one byte of kind, four of length (big endian), the payload.
The first frame is a REQUEST, a JSON object `{"do": ...}`:

run       argv, env, and `terminal` ([rows, columns], else null) or `input` (whether BODY frames
          bring standard input; an empty one ends it) and `together` (whether standard error
          goes where standard output does, so that both keep their order). Answered by STARTED
          (the process id, JSON), then OUTPUT and ERRORS as they come, TAKEN (how many bytes of
          input the program has taken, JSON), ENDED (the exit code, JSON) when it has ended. The
          connection closes when nobody can write any more; if the supervisor closes it before
          the end, the program's session is killed. Meanwhile SIGNAL, GROUP, KILL, SIZE.
read      path. BODY frames, then DONE.
write     path, mode. Then one BODY. DONE.
call      function (`module:name`), arguments, keywords. BODY, its result as JSON (a dataclass as
          an object), then DONE; or RAISED, `[kind, errno or null, text]`.
connect   path of a Unix socket. DONE; from there on the connection is the socket's.
kill      session. SIGKILL to every process of it. DONE.

What the system refuses is answered by FAILED: `[errno, text, path]`, JSON.

The agent belongs to root in the node: what it says is checked (lab.nodes.uml_answers).
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
    """Takes bytes as they come, gives whole frames; OverflowError for one of more than `most`."""

    def __init__(self, most: int = 1 << 32) -> None:
        self._buffer = bytearray()
        self._most = most

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The frames that are complete with `data`: kind and payload."""
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
