"""`p2slab disconnect CLIENT`: end a client's sessions."""

from __future__ import annotations

from lab.cli.steps import verb_of_step

command = verb_of_step(
    "disconnect", "CLIENT", "End CLIENT's sessions at its gateway, as the operator would."
)
