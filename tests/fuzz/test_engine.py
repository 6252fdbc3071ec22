"""The fuzzer finds what is planted."""

from __future__ import annotations

import time
from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import der, engine
from tests.fuzz.engine import Fuzzer, Target
from tests.fuzz.mutations import join, split
from tests.fuzz.registry import MODULES, target
from tests.fuzz.targets import keys


def faults(run: object, seed: bytes = b"nothing wrong", inputs: int = 4000) -> dict[str, bytes]:
    """Of a target that is here; stops at the first."""
    assert callable(run)
    planted = Target("planted", lambda: [seed], run, ("tests/fuzz/test_engine.py",), cpu=0.02)
    fuzzer = Fuzzer(planted, seed=1)
    while not fuzzer.found and fuzzer.inputs < inputs:
        fuzzer.step()
    return {what: found.data for what, found in fuzzer.found.items()}


def nested(data: bytes) -> None:
    """No luck suffices: each byte has to be kept before the next one is found."""
    if data[:1] != b"\xff":
        return
    if data[1:2] != b"\x80":
        return
    if data[2:3] == b"\x7f":
        raise KeyError(data)


def test_an_input_that_gets_further_is_changed_further() -> None:
    (found,) = faults(nested, b"\0\0\0", inputs=60_000).values()
    assert found == b"\xff\x80\x7f", "as small as it can be"


def test_an_outcome_that_is_new_counts_as_getting_further() -> None:
    def run(data: bytes) -> Hashable:
        right = sum(a == b for a, b in zip(data, b"\xff\x80\x7f", strict=False))
        assert right < 3
        return right

    assert faults(run, b"\0\0\0", inputs=60_000)


def test_work_that_is_too_dear_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(data: bytes) -> None:
        end = time.thread_time() + 0.05
        while len(data) > 20 and time.thread_time() < end:
            pass

    monkeypatch.setattr(engine, "SHRINKING", 0.0)
    assert list(faults(run)) == ["CostError more than 0.02 s of CPU"]


def test_what_does_not_end_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(data: bytes) -> None:
        while len(data) > 20:
            try:
                pass
            except Exception:  # noqa: BLE001 - as code under test may
                return

    monkeypatch.setattr(engine, "HANG", 0.3)
    monkeypatch.setattr(engine, "SHRINKING", 0.0)
    assert [what.split()[0] for what in faults(run)] == ["EndlessError"]


def test_the_same_seed_gives_the_same_inputs() -> None:
    seen: list[list[bytes]] = []
    for _ in range(2):
        inputs: list[bytes] = []
        fuzzer = Fuzzer(target("sstp-packets"), 7, inputs.append)
        for _ in range(300):
            fuzzer.step()
        seen.append(inputs)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", MODULES)
def test_seeds_are_the_same_in_every_process_and_good(name: str) -> None:
    chosen = target(name)
    assert chosen.seeds() == chosen.seeds()
    for seed in chosen.seeds():
        chosen.run(seed)


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=30)), max_size=10))
def test_steps_are_read_as_they_were_written(steps: list[tuple[int, bytes]]) -> None:
    assert split(join(steps)) == steps


@given(st.binary(max_size=30))
def test_any_bytes_are_steps(data: bytes) -> None:
    assert sum(len(content) for _, content in split(data)) <= len(data)


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_certificate_is_written_as_it_was_read(kind: keys.Kind) -> None:
    data = keys.der(keys.leaf(kind))
    assert der.write(der.read(data) or []) == data
