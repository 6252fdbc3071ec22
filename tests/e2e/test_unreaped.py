"""A machine whose PID 1 reaps no orphans, as in a container without an init."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lab.waiting import wait_until

CHECKOUT = Path(__file__).parents[2]
SCRIPT = """
lab() {
    set -e
    mkfifo "$0/in" "$0/out"
    ./p2slab up topologies/quickstart.yaml --name unreaped
    ./p2slab exec --name unreaped alice sh -c 'echo entered; exec cat' < "$0/in" > "$0/out" &
    front=$!
    exec 3> "$0/in" 4< "$0/out"
    read said <&4
    kill -9 $front
    ./p2slab down unreaped
    ./p2slab status --json
}
((lab) > "$0/said" 2>&1; echo $? > "$0/code") &
exec sleep infinity
"""


async def test_down_ends_though_a_program_that_was_killed_is_never_collected(
    tmp_path: Path,
) -> None:
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", SCRIPT,
               str(tmp_path)]  # fmt: skip
    first = await asyncio.create_subprocess_exec(*command, cwd=CHECKOUT)
    try:
        await wait_until("the script's end", 100, (tmp_path / "code").read_text)
    finally:
        first.kill()
        await first.wait()
    said = (tmp_path / "said").read_text()
    assert "lab unreaped is down" in said
    assert '"name": "unreaped"' not in said
