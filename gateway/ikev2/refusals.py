"""Refusals of IKEv2 clients that charon makes by itself, for the log: no proposal in common, a
client that offers no EAP, traffic selectors that do not fit.

vici has no event for them, so charon's own log lines are read. They are for people: nothing is
decided by them. charon prints '?' for what is not printable ASCII, and a line of its own begins
with words of its own.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.charon.config import SITE_TO_SITE

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.charon.vici_messages import LogLine
    from gateway.common.vocabulary import Reason
    from gateway.policy.diagnostics import DiagnosticLog

MOST_REMEMBERED = 1000
_BEGINS = re.compile(r"(\S+) is initiating an IKE_SA\Z")
_TELLING = re.compile(
    r"received proposals unacceptable|no (?:peer|IKE) config found|no matching peer config found|"
    r"peer requested EAP, config unacceptable|traffic selectors .* unacceptable|"
    r"no virtual IP found for |authentication of "
)
_NO = re.compile(r"generating IKE_(?:SA_INIT|AUTH) response \d+ \[.* N\((\w+)\) \]\Z")
_REASONS: dict[str, Reason] = {
    "AUTH_FAILED": "refused",
    "NO_PROP": "refused",
    "TS_UNACCEPT": "refused",
    "INT_ADDR_FAIL": "no-address",
}


@dataclass
class _Attempt:
    address: str = ""
    said: str = ""


class Refusals:
    """Attempts by unique id. `recorded` says whether an attempt's refusal is in the log already."""

    def __init__(
        self,
        log: DiagnosticLog,
        peers: Callable[[], frozenset[str]],
        recorded: Callable[[str], bool],
    ) -> None:
        self._log = log
        self._peers = peers
        self._recorded = recorded
        self._attempts: OrderedDict[str, _Attempt] = OrderedDict()

    def feed(self, line: LogLine) -> None:
        """A line of charon's."""
        if not line.uniqueid or line.connection.startswith(SITE_TO_SITE):
            return
        if begins := _BEGINS.match(line.text):
            self._attempts[line.uniqueid] = _Attempt(begins[1])
            if len(self._attempts) > MOST_REMEMBERED:
                self._attempts.popitem(last=False)
        attempt = self._attempts.get(line.uniqueid)
        if attempt is None:
            return
        if _TELLING.match(line.text):
            attempt.said = line.text
        no = _NO.match(line.text)
        if no and no[1] in _REASONS:
            del self._attempts[line.uniqueid]
            self._refused(line.uniqueid, attempt, no[1])

    def _refused(self, uniqueid: str, attempt: _Attempt, notify: str) -> None:
        if self._recorded(uniqueid) or attempt.address in self._peers():
            return
        said = attempt.said or f"charon answered with {notify}"
        self._log.add("refused", "IkeV2", said, reason=_REASONS[notify], address=attempt.address)
