"""`p2slab restart CLIENT`: restart a client computer."""

from __future__ import annotations

from lab.cli.steps import verb_of_step

command = verb_of_step(
    "restart",
    "NODE",
    "Restart the client computer NODE: all its programs end, and it dials nothing; or the gateway "
    "NODE: all its sessions end.",
)
