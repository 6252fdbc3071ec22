"""`p2slab revoke CLIENT`: revoke a client's certificate."""

from __future__ import annotations

from lab.cli.steps import verb_of_step

command = verb_of_step(
    "revoke", "CLIENT", "Revoke CLIENT's certificate at its gateway (vpnClientRevokedCertificates)."
)
