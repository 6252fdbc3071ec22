"""`signIn`: a user signs in at the captive portal of the access network."""

from __future__ import annotations

import re

from lab.kernel import nft
from lab.roles.portal import PAGE, admitting
from lab.topology.model.steps import SignIn
from lab.topology.planning.addressing import PUBLIC_DNS
from lab.world import Outcome, World

ANYBODY = f"http://{PUBLIC_DNS}/"
"""Whom a browser calls to see the portal: whoever it is, the portal answers."""
SECONDS = "5"


async def sign_in(step: SignIn, world: World) -> Outcome:
    """Follow the portal's redirection to its page, and be let out from then on."""
    client = world.clients[step.signIn]
    argv = ["curl", "-sSL", "-m", SECONDS, "-o", "/dev/null", "-w", "%{url_effective}", ANYBODY]
    done = await client.node.run(argv)
    page = done.stdout.strip()
    if done.code or not page.endswith(PAGE):
        seen = done.output or "nobody"
        return Outcome(held=False, detail=f"no portal answers {client.name}: {seen}")
    address = world.addresses[step.signIn]
    await client.access.call(lambda: nft.run(admitting(address)))
    host = re.sub(r"^http://([^/]*)/.*$", r"\1", page)
    return Outcome(held=True, detail=f"signed in at {host}: {address} is let out from now on")
