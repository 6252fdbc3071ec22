"""`p2slab restart CLIENT`: restart a client computer."""

from __future__ import annotations

from lab.cli.steps import verb_of_step

command = verb_of_step(
    "restart", "CLIENT", "Restart the computer CLIENT: all its programs end, and it dials nothing."
)
