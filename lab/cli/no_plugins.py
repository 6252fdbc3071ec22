"""pydantic without plug-ins, of which the private root has none.

It would look for them in the metadata of every installed package, whatever
PYDANTIC_DISABLE_PLUGINS says, which takes a tenth of the time of a verb that reads a topology.
"""

from __future__ import annotations

import sys
from types import ModuleType

LOADER = "pydantic.plugin._loader"


def expect_no_plugins() -> None:
    """To be called before the first model is made."""
    loader = ModuleType(LOADER)
    loader.__dict__["get_plugins"] = tuple
    sys.modules.setdefault(LOADER, loader)
