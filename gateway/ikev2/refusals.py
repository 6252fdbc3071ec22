"""Logs the refusals that charon decides itself: no common proposal, a client without EAP, traffic
selectors that do not match.

vici has no event for these, so they are taken from charon's log lines. They only inform people; the
gateway decides nothing by them. charon replaces non-printable characters by '?', and each matched
line starts with fixed words, so that a client cannot forge one.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from gateway.charon.config import SITE_TO_SITE
from gateway.policy.diagnostics import now

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.charon.vici_messages import LogLine
    from gateway.common.vocabulary import Reason
    from gateway.policy.diagnostics import DiagnosticLog
    from gateway.policy.sessions import Session

T = TypeVar("T")
MOST_REMEMBERED = 1000
_RECEIVED = re.compile(r"received packet: from [^\[]+\[(?P<port>\d+)\] to ")
_BEGINS = re.compile(r"(\S+) is initiating an IKE_SA\Z")
_CAUSE = re.compile(
    r"received proposals unacceptable|no (?:peer|IKE) config found|no matching peer config found|"
    r"peer requested EAP, config unacceptable|traffic selectors .* unacceptable|"
    r"no virtual IP found for |authentication of "
)
_PROPOSALS = re.compile(r"(received|configured) proposals: (.*)")
_ERROR_NOTIFY = re.compile(r"generating IKE_(?:SA_INIT|AUTH) response \d+ \[.* N\((\w+)\) \]\Z")
_REASONS: dict[str, Reason] = {
    "AUTH_FAILED": "refused",
    "NO_PROP": "no-proposal",
    "TS_UNACCEPT": "refused",
    "INT_ADDR_FAIL": "no-address",
}


@dataclass
class _Attempt:
    address: str
    began: str
    cause: str = ""
    proposals: dict[str, str] = field(default_factory=dict)
    """As charon writes them: what it `received`, and what is `configured`."""

    def why(self, notify: str) -> str:
        """The cause in words; for NO_PROP what both sides have, the client's own last, because
        it may be cut."""
        if notify == "NO_PROP" and len(self.proposals) == 2:
            what = self.proposals["configured"].partition(":")[0]
            return (
                f"no common {what} proposal: the gateway takes {self.proposals['configured']}; "
                f"the client offered {self.proposals['received']}"
            )
        return self.cause or f"charon answered with {notify}"


class Refusals:
    """Attempts by unique id. `recorded` tells whether the relay has logged a refusal already;
    `session` is the session of an IKE_SA that fails after its client was admitted."""

    def __init__(
        self,
        log: DiagnosticLog,
        peers: Callable[[], frozenset[str]],
        recorded: Callable[[str], bool],
        session: Callable[[str], Session | None],
    ) -> None:
        self._log = log
        self._peers = peers
        self._recorded = recorded
        self._session = session
        self._attempts: OrderedDict[str, _Attempt] = OrderedDict()
        self._ports: OrderedDict[str, str] = OrderedDict()
        """By unique id: the port of the newest packet. A client's changes within an attempt."""

    def feed(self, line: LogLine) -> None:
        """Handle a line of charon's log."""
        if not line.uniqueid or line.connection.startswith(SITE_TO_SITE):
            return
        if received := _RECEIVED.match(line.text):
            _remember(self._ports, line.uniqueid, received["port"])
        if begins := _BEGINS.match(line.text):
            _remember(self._attempts, line.uniqueid, _Attempt(begins[1], now()))
        attempt = self._attempts.get(line.uniqueid)
        if attempt is None:
            return
        if _CAUSE.match(line.text):
            attempt.cause = line.text
        if found := _PROPOSALS.match(line.text):
            attempt.proposals[found[1]] = found[2]
        notify = _ERROR_NOTIFY.match(line.text)
        if notify and notify[1] in _REASONS:
            del self._attempts[line.uniqueid]
            self._refused(line.uniqueid, attempt, notify[1])

    def _refused(self, uniqueid: str, attempt: _Attempt, notify: str) -> None:
        if self._recorded(uniqueid) or attempt.address in self._peers():
            return
        why, session = attempt.why(notify), self._session(uniqueid)
        if session:
            session.ending = session.ending or why
        self._log.add(
            "refused",
            "IkeV2",
            why,
            reason=_REASONS[notify],
            address=attempt.address,
            port=self._ports.get(uniqueid, ""),
            began=attempt.began,
            user=session.peer.user if session else "",
            thumbprint=session.peer.thumbprint if session else "",
        )


def _remember(table: OrderedDict[str, T], uniqueid: str, value: T) -> None:
    """Set a value; the entry that was set longest ago is dropped from a full table."""
    table.pop(uniqueid, None)
    table[uniqueid] = value
    if len(table) > MOST_REMEMBERED:
        table.popitem(last=False)
