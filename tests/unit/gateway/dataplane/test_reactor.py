"""The loop: readiness, timers, and what happens to callbacks that are gone."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
import time
import weakref

import pytest

from gateway.dataplane.reactor import READABLE, WRITABLE, Alarm, Reactor


def test_timers_come_in_order_and_a_cancelled_one_never() -> None:
    with Reactor() as reactor:
        said: list[str] = []
        now = time.monotonic()
        reactor.call_at(now + 0.02, reactor.stop)
        reactor.call_at(now + 0.01, lambda: said.append("second"))
        reactor.call_at(now, lambda: said.append("first"))
        never = reactor.call_at(now, lambda: said.append("never"))
        never.cancel()
        never.cancel()
        reactor.run()
        assert said == ["first", "second"]


def test_a_timer_may_cancel_another_of_the_same_moment() -> None:
    with Reactor() as reactor:
        said: list[str] = []
        reactor.call_at(0, lambda: other.cancel())  # noqa: PLW0108 (it is made below)
        other = reactor.call_at(0, lambda: said.append("never"))
        reactor.call_at(0, reactor.stop)
        reactor.run()
        assert said == []


def test_an_alarm_rings_at_the_time_that_was_set_last_and_once() -> None:
    with Reactor() as reactor:
        said: list[str] = []
        moved, never = (
            Alarm(reactor, lambda n=name: said.append(n)) for name in ("moved", "never")
        )
        begun = time.monotonic()
        for due in (begun + 60, begun + 0.02, begun + 0.02):
            moved.set(due)
        never.set(begun)
        never.set(None)
        reactor.call_at(begun + 0.01, lambda: said.append("before"))
        reactor.call_at(begun + 0.03, reactor.stop)
        reactor.run()
        assert said == ["before", "moved"]
        moved.set(begun + 0.02)  # it has rung: the same time counts again
        reactor.call_at(begun + 0.03, reactor.stop)
        reactor.run()
        assert said == ["before", "moved", "moved"]


def test_an_alarm_that_is_put_off_again_and_again_is_one_timer() -> None:
    with Reactor() as reactor:
        rung: list[float] = []
        begun = time.monotonic()
        alarm = Alarm(reactor, lambda: rung.append(reactor.now))
        for step in range(1, 1001):
            alarm.set(begun + step / 20_000)
        reactor.call_at(begun + 0.06, reactor.stop)
        assert len(reactor._timers) == 2
        reactor.run()
        assert len(rung) == 1
        assert rung[0] >= begun + 0.05


def test_a_closed_alarm_does_not_ring_and_lets_its_owner_go() -> None:
    class Owner:
        rung = False

        def __init__(self, reactor: Reactor) -> None:
            self.alarm = Alarm(reactor, self.ring)

        def ring(self) -> None:
            Owner.rung = True

    gc.disable()  # the owner must go without it
    try:
        with Reactor() as reactor:
            owner = Owner(reactor)
            owner.alarm.set(reactor.now)
            owner.alarm.close()
            there = weakref.ref(owner)
            del owner
            assert there() is None
            reactor.call_at(reactor.now, reactor.stop)
            reactor.run()
    finally:
        gc.enable()
    assert not Owner.rung


def test_a_timer_that_reschedules_itself_does_not_starve_descriptors() -> None:
    with Reactor() as reactor:
        ours, theirs = socket.socketpair()
        theirs.send(b"x")

        def again() -> None:
            reactor.call_at(0, again)

        again()
        reactor.add(ours.fileno(), READABLE, lambda _: reactor.stop())
        reactor.run()
        ours.close()
        theirs.close()


def test_a_descriptor_removed_by_an_earlier_callback_of_the_round_is_not_called() -> None:
    with Reactor() as reactor:
        pairs = [socket.socketpair() for _ in range(2)]
        called: list[int] = []

        def ready(number: int) -> None:
            called.append(number)
            reactor.remove(pairs[1 - number][0].fileno())
            reactor.stop()

        for number, (ours, theirs) in enumerate(pairs):
            theirs.send(b"x")
            reactor.add(ours.fileno(), READABLE, lambda _, number=number: ready(number))
        reactor.run()
        assert len(called) == 1
        for ours, theirs in pairs:
            ours.close()
            theirs.close()


def test_adding_again_changes_events_and_callback() -> None:
    with Reactor() as reactor:
        ours, theirs = socket.socketpair()
        reactor.add(ours.fileno(), READABLE, lambda _: pytest.fail("the old callback"))
        seen: list[int] = []

        def ready(events: int) -> None:
            seen.append(events)
            reactor.stop()

        reactor.add(ours.fileno(), WRITABLE, ready)
        reactor.run()
        assert seen == [WRITABLE]
        ours.close()
        theirs.close()


def test_a_stop_before_the_loop_begins_counts() -> None:
    with Reactor() as reactor:
        reactor.stop()
        reactor.run()
        reactor.call_at(reactor.now, reactor.stop)
        reactor.run()
        assert reactor.rounds == 1


def test_a_signal_handler_and_another_thread_can_stop_it() -> None:
    with Reactor() as reactor:
        before = signal.signal(signal.SIGUSR1, lambda *_: reactor.stop())
        try:
            timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
            timer.start()
            reactor.run()
            timer.join()
        finally:
            signal.signal(signal.SIGUSR1, before)
        timer = threading.Timer(0.05, reactor.stop)
        timer.start()
        reactor.run()
        timer.join()
