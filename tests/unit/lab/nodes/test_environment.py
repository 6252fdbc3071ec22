from __future__ import annotations

import pytest

from lab.nodes.environment import environment


def test_python_in_a_node_is_set_up_as_outside_but_for_what_is_of_the_outside_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its bytecode is elsewhere, and a user's script finds the modules beside it."""
    for name in ("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONPYCACHEPREFIX", "LC_ALL"):
        monkeypatch.setenv(name, "1")
    inside = environment().keys()
    assert "PYTHONPATH" in inside
    assert not {"PYTHONSAFEPATH", "PYTHONPYCACHEPREFIX", "LC_ALL"} & inside
