"""The README's first command, from an empty cache, as an ordinary user."""

from __future__ import annotations

import pytest

from tests.harness import as_user


@pytest.mark.skipif(
    not as_user.possible(), reason="only root can play an ordinary user; run it with sudo"
)
def test_a_user_makes_a_private_root_and_verifies_the_quickstart_and_adds_a_layer() -> None:
    script = (
        f"export P2SLAB_CACHE={as_user.HOME}/from-nothing; trap './p2slab root prune --all' EXIT; "
        "./p2slab root prune --all  # of a run that was killed\n"
        "./p2slab verify topologies/quickstart.yaml && ./p2slab root make bgp"
    )
    done = as_user.run("sh", "-c", script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "HELD: 21 of 21" in done.stdout
    for made in ("base, runner, core", "bgp"):
        assert f"making the private root in {as_user.HOME}/from-nothing: {made}\n" in done.stderr
