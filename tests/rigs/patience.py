"""How long tests wait for conditions."""

from __future__ import annotations

PATIENCE = 60.0
"""Seconds. It mostly happens in a tenth of one; on a busy machine it takes as long as it takes."""
EMPTY = 1.0
"""Seconds for which nothing comes where nothing may come."""
