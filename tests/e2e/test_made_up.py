"""What `validate` calls ok builds: topologies made up from seeds, and the real programs.

More seeds: P2SLAB_SEEDS=1000-1300 ./p2slab test tests/e2e/test_made_up.py
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from lab.pki.authority import Credential, issue
from lab.runtime.lab import Lab
from lab.topology.load import load_bytes
from lab.topology.planning.plan import Plan
from lab.topology.planning.planner import make_plan
from lab.topology.reading.problems import LoadError
from tests.rigs.isolated import isolated
from tests.rigs.made_up import Maker
from tests.rigs.whole_lab import in_a_lab
from tests.rigs.written import checked, written

HERE = Path(__file__).parent
FIRST, _, LAST = os.environ.get("P2SLAB_SEEDS", "0-60").partition("-")
SEEDS = range(int(FIRST), int(LAST))
BUILT = 3
"""How many labs are built; one takes a second."""


def accepted(seed: int) -> Plan | None:
    """The plan of a topology that is accepted."""
    try:
        return make_plan(load_bytes(Maker(seed).text().encode(), "made-up.yaml", HERE), HERE)
    except LoadError:
        return None


PLANS = {seed: plan for seed in SEEDS if (plan := accepted(seed))}


def test_programs_take_what_is_written_for_them(tmp_path: Path) -> None:
    assert len(PLANS) * 8 >= len(SEEDS), "too many are refused to show anything"

    def there() -> None:
        wrong = []
        for seed, plan in PLANS.items():
            credentials: dict[str, Credential] = issue(plan.certificates)
            for number, one in enumerate(written(plan, credentials)):
                said = checked(one, tmp_path / f"{seed}-{number}")
                wrong += [f"seed {seed}: {said}"] if said else []
        assert not wrong, "\n".join(wrong)

    isolated(there)


@pytest.mark.parametrize("seed", random.Random(1).sample([*PLANS], min(BUILT, len(PLANS))))
def test_what_is_accepted_is_built(seed: int, tmp_path: Path) -> None:
    async def built(lab: Lab) -> None:
        for gateway in lab.gateways.values():
            assert await gateway.get()

    in_a_lab(tmp_path, Maker(seed).text(), built)
