"""`p2slab reinstate CLIENT`: reinstate a client's certificate."""

from __future__ import annotations

from lab.cli.steps import verb_of_step

command = verb_of_step(
    "reinstate", "CLIENT", "Take CLIENT's certificate off its gateway's list of revoked ones."
)
