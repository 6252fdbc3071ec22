"""The gateway's program: its arguments, and serving until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from pydantic import ValidationError

from gateway.arm.placement import Placement
from radius.log_stream import LogStream

USAGE, FAILED = 2, 4


def main() -> int:
    """Run until SIGTERM or SIGINT. Returns 2 for a wrong argument, 4 if it cannot serve."""
    sys.stderr = LogStream(2)
    parser = argparse.ArgumentParser(prog="gateway", description="a P2S VPN gateway")
    parser.add_argument("--placement", type=Path, required=True, help="its placement (JSON)")
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket of the API")
    parser.add_argument("--state", type=Path, required=True, help="directory for its files")
    arguments = parser.parse_args()
    try:
        placement = Placement.model_validate_json(arguments.placement.read_bytes())
    except (OSError, ValidationError) as error:
        print(f"{arguments.placement}: {error}", file=sys.stderr)
        return USAGE
    try:
        arguments.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        arguments.socket.unlink(missing_ok=True)
        asyncio.run(_run(placement, arguments.socket, arguments.state))
    except OSError as error:
        print(f"the gateway cannot serve: {error}", file=sys.stderr)
        return FAILED
    return 0


async def _run(placement: Placement, socket: Path, state: Path) -> None:
    from gateway.common.errors import FenceError  # noqa: PLC0415
    from gateway.common.quick_start import settle  # noqa: PLC0415
    from gateway.control import serve  # noqa: PLC0415 - only after the arguments are valid
    from gateway.forwarding.aggregate import Aggregate  # noqa: PLC0415
    from gateway.forwarding.fence import NftFence  # noqa: PLC0415
    from gateway.forwarding.reach import Reach  # noqa: PLC0415
    from gateway.policy.refusals import BoundedLog  # noqa: PLC0415
    from gateway.reconcile import Gateway  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    log = BoundedLog()
    fence = NftFence(placement, log)
    try:
        fence.enclose(Reach())  # closed from the beginning
    except FenceError as error:  # a PUT will fail, too, and report it to its caller
        print(error.message, file=sys.stderr)
    gateway = Gateway(placement, state, log, fence, Aggregate(placement))
    settle()
    runner = await serve(gateway, socket)
    await ended.wait()
    await runner.cleanup()
    await gateway.stop()
