"""What people set up wrong between Azure and a site, in a VNet, at a host or on the way: each is a
key of the language, and its effect is seen with the real daemons (tests/e2e/sites)."""

from __future__ import annotations

import pytest

from tests.rigs.verified import CHECKOUT, holds

FILES = sorted(path.name for path in (CHECKOUT / "tests/e2e/sites").glob("*.yaml"))


@pytest.mark.parametrize("name", FILES)
def test_a_cause_has_its_effect(name: str) -> None:
    holds(f"tests/e2e/sites/{name}")


def test_there_are_files() -> None:
    assert {"security-groups.yaml", "ways-into-the-lan.yaml"} <= set(FILES)
