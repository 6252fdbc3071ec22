"""Requests to RADIUS servers and their answers, sans-I/O.

`Questions` is the state of one UDP socket: it decides what to send and when, and matches datagrams
to open questions. Identifiers are unique among the open questions to a server (RFC 2865, section 3:
256 of them); more questions need another socket.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from radius.packet import Answer, Flaw, Request, Sent, Server
from radius.schedule import LIMIT, schedule

IDENTIFIERS = 256
Address = tuple[str, int]


@dataclass(eq=False)
class Question:
    """A request, the servers that it was sent to, and its answer."""

    request: Request
    began: float
    limit: float
    plan: list[tuple[float, Server]]
    """Transmissions still to come: seconds after `began`, and the server."""
    sent: dict[Address, tuple[int, Sent]] = field(default_factory=dict)
    answer: Answer | None = None
    answered_by: Server | None = None
    flaws: Counter[Flaw] = field(default_factory=Counter)

    @property
    def asked(self) -> list[str]:
        """The servers asked so far."""
        return [host for host, _ in self.sent]

    @property
    def wakes(self) -> float:
        """The time of the next transmission, or of giving up."""
        due = [self.began + self.plan[0][0]] if self.plan else []
        return min([self.began + self.limit, *due])


class Questions:
    """The open questions of one socket."""

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._open: list[Question] = []
        self._by_identifier: dict[tuple[Address, int], tuple[Question, Server]] = {}
        self._next = entropy(1)[0]

    @property
    def full(self) -> bool:
        """Whether there may be no identifier for another question."""
        return len(self._open) >= IDENTIFIERS

    def ask(
        self, request: Request, servers: Sequence[Server], now: float, limit: float = LIMIT
    ) -> Question:
        """Open a question to servers in this order; `tick` then returns what to send."""
        question = Question(request, now, limit, schedule(servers, limit))
        self._open.append(question)
        return question

    def tick(self, question: Question, now: float) -> list[tuple[bytes, Address]]:
        """The datagrams to be sent now, with their destinations."""
        datagrams = []
        while question.plan and question.began + question.plan[0][0] <= now:
            _, server = question.plan.pop(0)
            address = (server.address, server.port)
            if address not in question.sent:
                self._write(question, server, address)
            datagrams.append((question.sent[address][1].data, address))
        return datagrams

    def receive(self, data: bytes, address: Address) -> Question | Flaw:
        """Handle a datagram: return the question that it answers, or its flaw.

        A flawed answer changes nothing: the right one may still arrive.
        """
        number = data[1] if len(data) > 1 else -1
        known = self._by_identifier.get((address, number))
        if known is None:
            return self._stray(number)
        question, server = known
        read = question.sent[address][1].read(data)
        if isinstance(read, str):
            question.flaws[read] += 1
            return read
        question.answer, question.answered_by = read, server
        self.forget(question)
        return question

    def forget(self, question: Question) -> None:
        """Close a question; later answers to it are `unasked`."""
        if question in self._open:
            self._open.remove(question)
        for address, (identifier, _) in question.sent.items():
            self._by_identifier.pop((address, identifier), None)

    def _write(self, question: Question, server: Server, address: Address) -> None:
        identifier = self._free(address)
        question.sent[address] = (
            identifier, Sent(question.request, server, identifier, self._entropy),
        )  # fmt: skip
        self._by_identifier[address, identifier] = (question, server)

    def _free(self, address: Address) -> int:
        """An identifier that no open question to this server uses; exists unless `full`."""
        while (address, self._next) in self._by_identifier:
            self._next = (self._next + 1) % IDENTIFIERS
        chosen, self._next = self._next, (self._next + 1) % IDENTIFIERS
        return chosen

    def _stray(self, number: int) -> Flaw:
        """The flaw of an answer that matches no question at this address."""
        is_open = any(identifier == number for _, identifier in self._by_identifier)
        return "wrong-address" if is_open else "unasked"
