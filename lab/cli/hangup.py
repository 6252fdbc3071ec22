"""`p2slab hangup CLIENT`: end a client's tunnel."""

from __future__ import annotations

from lab.cli.steps import verb_of_step

command = verb_of_step("hangUp", "CLIENT", "End CLIENT's tunnel, as its user would.")
