"""What a shell in a node does, whatever the node's kernel is."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from lab.errors import OURS
from lab.runtime.handle import Handle
from lab.waiting import wait_until
from tests.rigs.patience import PATIENCE
from tests.rigs.terminal import Terminal


def controls_its_jobs(lab: Handle, node: str, env: Mapping[str, str]) -> None:
    """A job is stopped, and the shell goes on; its exit code is the verb's."""
    with _shell(lab, node, env) as term:
        term.expect(f"root@{node}:/# ")
        term.type("bash -c 'echo $((1+1)); exec sleep 1115'\n")
        term.expect("\n2\r\n")
        term.type("\x1a")
        term.expect(r"Stopped +bash -c")
        term.type("kill %1; fg\n")
        term.expect(f"root@{node}:/# ")
        term.type("exit 3\n")
        assert term.wait() == 3
    assert "no job control" not in term.shown


async def ends_with_its_terminal(lab: Handle, node: str, env: Mapping[str, str]) -> None:
    """Nothing of it is left in the node."""

    def codes() -> int:
        return lab.exec(node, ["pgrep", "-x", "bash"]).code

    with _shell(lab, node, env) as term:
        term.expect(f"root@{node}:/# ")
        assert codes() == 0
        term.close()
        assert term.wait() != OURS
    await wait_until("no shell is left", PATIENCE, lambda: codes() == 1)


def _shell(lab: Handle, node: str, env: Mapping[str, str]) -> Terminal:
    return Terminal([sys.executable, "-m", "lab.cli.main", "shell", "--name", lab.name, node], env)
