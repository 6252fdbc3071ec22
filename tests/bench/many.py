"""One end of many TCP streams at one time (tests.bench.streams), as a program.

    python -m tests.bench.many accept ADDRESS up|down SECONDS NUMBER
    python -m tests.bench.many connect ADDRESS up|down SECONDS SOURCE...

The end that receives prints the streams' rates, bits a second, as one JSON line.
"""

from __future__ import annotations

import json
import socket
import sys

from tests.bench import streams


def main(end: str, address: str, direction: str, seconds: str, *rest: str) -> None:
    """See the module."""
    if end == "accept":
        with socket.create_server((address, streams.PORT), backlog=1024) as listener:
            print("ready", flush=True)
            flows = streams.accept(listener, int(rest[0]))
    else:
        flows = streams.connect(address, rest)
    if (end == "accept") == (direction == "up"):
        print(json.dumps(streams.receive(flows, float(seconds))), flush=True)
    else:
        streams.send(flows)


if __name__ == "__main__":
    main(*sys.argv[1:])
