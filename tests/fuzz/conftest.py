"""How long to look: a few seconds, or HYPOTHESIS_PROFILE=soak for an hour."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

UNTIMED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("seconds", max_examples=60, **UNTIMED)  # type: ignore[arg-type]
settings.register_profile("minutes", max_examples=1500, **UNTIMED)  # type: ignore[arg-type]
settings.register_profile("soak", max_examples=50_000, **UNTIMED)  # type: ignore[arg-type]
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "seconds"))
