"""Where programs in a node find bytecode, which they may not write."""

from __future__ import annotations

import compileall
import json
import os
import sys
from pathlib import Path

import pytest

from gateway.common import calls
from lab.runtime.network import build_network
from lab.topology.planning.plan import NodePlan, Plan
from tests.rigs.isolated import isolated

PLAN = Plan("files", "", nodes=(NodePlan("pc", "client"),), links=(), certificates=(),
            gateways=(), clients=(), steps=())  # fmt: skip
ASKED = """
import json, os
import gateway.common.calls, pydantic
told = [gateway.common.calls.__cached__, pydantic.__cached__]
print(json.dumps([os.path.realpath(name) if os.path.exists(name) else "none" for name in told]))
"""


@pytest.mark.parametrize("beside", [True, False])
def test_bytecode_is_found_of_our_modules_and_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, beside: bool
) -> None:
    """That of ours is beside the source, or in another user's checkout in the cache."""
    prefix = None if beside else f"{os.environ['P2SLAB_CACHE']}/bytecode"
    monkeypatch.setattr(sys, "pycache_prefix", prefix)
    if prefix:
        monkeypatch.setenv("PYTHONPYCACHEPREFIX", prefix)
    compileall.compile_file(calls.__file__, quiet=2)

    async def there() -> None:
        nodes = await build_network(PLAN, tmp_path)
        done = await nodes["pc"].run([sys.executable, "-c", ASKED])
        assert done.code == 0, done.output
        ours, others = json.loads(done.stdout)
        place = Path(calls.__file__).parent
        assert Path(ours).parent == (Path(f"{prefix}{place}") if prefix else place / "__pycache__")
        assert others.startswith("/usr/lib/p2slab/venv/")

    isolated(there)
