"""How long to look: a few seconds, or HYPOTHESIS_PROFILE=soak for an hour."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("seconds", max_examples=60)
settings.register_profile("minutes", max_examples=1500)
settings.register_profile("soak", max_examples=50_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "seconds"))
