"""One log line per refusal, but a summary line while there are too many."""

from __future__ import annotations

from collections import Counter

BURST = 50
"""Maximum lines at once."""
RATE = 5.0
"""Lines per second in the long run."""


class RateLimit:
    """A token bucket: allows a line, or counts it for the summary."""

    def __init__(self, now: float) -> None:
        self._tokens = float(BURST)
        self._since = now
        self._left_out: Counter[str] = Counter()

    @property
    def left_out(self) -> int:
        """How many refusals the next summary will count."""
        return self._left_out.total()

    def allows(self, reason: str, now: float) -> bool:
        """Whether this refusal may have its own line."""
        self._tokens = min(BURST, self._tokens + (now - self._since) * RATE)
        self._since = now
        if self._tokens < 1:
            self._left_out[reason] += 1
            return False
        self._tokens -= 1
        return True

    def summary(self) -> str:
        """The refusals left out since the last summary; empty: none."""
        left_out, self._left_out = self._left_out, Counter()
        if not left_out:
            return ""
        parts = ", ".join(f"{reason} {count}" for reason, count in left_out.most_common())
        return f"{left_out.total()} more refusals: {parts}"
