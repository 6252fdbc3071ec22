"""One epoll loop with timers, for one thread."""

from __future__ import annotations

import heapq
import itertools
import os
import select
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

READABLE, WRITABLE = select.EPOLLIN, select.EPOLLOUT
_IDLE_SECONDS = 3600.0
_EVENTS = 16
"""Maximum events per round; the kernel lets ready descriptors take turns."""

Ready = Callable[[int], None]
"""Called with the events: READABLE, WRITABLE, and always EPOLLHUP and EPOLLERR."""


def _nothing() -> None:
    """What a closed alarm calls."""


class Timer:
    """A scheduled call; `cancel` may be called at any time, even twice."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[], None]) -> None:
        self.function: Callable[[], None] | None = function

    def cancel(self) -> None:
        """Cancel the call."""
        self.function = None


class Alarm:
    """A single timer of a reactor, whose time may be changed.

    Most times are put off before they come: the timer stays then, and is set again when it rings.
    """

    def __init__(self, reactor: Reactor, function: Callable[[], None]) -> None:
        self._reactor = reactor
        self._function = function
        self._due: float | None = None
        self._timer: tuple[float, Timer] | None = None

    def set(self, due: float | None) -> None:
        """Call the function at this time only; None: never."""
        self._due = due
        if self._timer:
            when, timer = self._timer
            if due is not None and when <= due:
                return
            timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = (due, self._reactor.call_at(due, self._ring))

    def close(self) -> None:
        """Never call the function again, and let go of it: often it is the alarm's owner's."""
        self.set(None)
        self._function = _nothing

    def _ring(self) -> None:
        self._timer = None
        if self._due is None or self._due > self._reactor.now:
            self.set(self._due)
            return
        self._due = None
        self._function()


class Reactor:
    """Calls back for ready descriptors (level-triggered) and for timers that are due.

    An exception in a callback ends run(). Signal handlers may only call stop().
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._epoll = select.epoll()
        self._callbacks: dict[int, Ready] = {}
        self._events: dict[int, int] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._stopped = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.now = clock()
        """The clock's time, in seconds, when the loop last woke up."""
        self.rounds = 0
        """How often the loop has woken up."""
        self.add(self._wake, READABLE, self._woken)

    def add(self, descriptor: int, events: int, callback: Ready) -> None:
        """Watch a descriptor; if it is watched already, replace its events and callback."""
        if descriptor in self._callbacks:
            self.modify(descriptor, events)
        else:
            self._epoll.register(descriptor, events)
            self._events[descriptor] = events
        self._callbacks[descriptor] = callback

    def modify(self, descriptor: int, events: int) -> None:
        """Watch for these events instead."""
        if self._events[descriptor] != events:
            self._epoll.modify(descriptor, events)
            self._events[descriptor] = events

    def remove(self, descriptor: int) -> None:
        """Stop watching a descriptor; call this before the descriptor is closed."""
        if self._callbacks.pop(descriptor, None):
            del self._events[descriptor]
            self._epoll.unregister(descriptor)

    def call_at(self, when: float, function: Callable[[], None]) -> Timer:
        """Call the function once when the clock (time.monotonic) reaches `when`."""
        timer = Timer(function)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def run(self) -> None:
        """Run until stop(), which a signal handler may have called already."""
        callbacks, poll = self._callbacks, self._epoll.poll
        while not self._stopped:
            ready = poll(self._patience(), _EVENTS)
            self.now = self._clock()
            self.rounds += 1
            for descriptor, events in ready:
                # An earlier callback of this round may have removed it.
                callback = callbacks.get(descriptor)
                if callback:
                    callback(events)
            if self._timers:
                self._call_timers()
        self._stopped = False

    def stop(self) -> None:
        """Let run() return after the callbacks of this round."""
        self._stopped = True
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Close the loop's own descriptors."""
        self._epoll.close()
        os.close(self._wake)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _woken(self, _events: int) -> None:
        os.eventfd_read(self._wake)

    def _patience(self) -> float:
        """Seconds until the next timer."""
        while self._timers and self._timers[0][2].function is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return _IDLE_SECONDS
        return max(0.0, self._timers[0][0] - self._clock())

    def _call_timers(self) -> None:
        # Timers added meanwhile wait for the next round; otherwise they could starve the rest.
        due = []
        while self._timers and self._timers[0][0] <= self.now:
            due.append(heapq.heappop(self._timers)[2])
        for timer in due:
            if timer.function:
                timer.function()
