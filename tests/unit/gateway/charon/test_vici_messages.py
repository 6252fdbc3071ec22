"""charon's messages as values; the messages are shaped as strongSwan 5.9.8 sent them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.charon.vici_messages import (
    ChildRekeyed,
    ChildSa,
    ChildUpDown,
    IkeRekeyed,
    IkeSa,
    LogLine,
    UpDown,
    event,
    ike_sas,
)

SA: dict[str, Any] = {
    "uniqueid": b"7",
    "state": b"ESTABLISHED",
    "remote-host": b"203.0.113.1",
    "remote-id": b"CN=alice",
    "remote-vips": [b"172.16.201.1"],
    "child-sas": {
        "p2s-3": {
            "uniqueid": b"3",
            "bytes-in": b"252",
            "bytes-out": b"84",
            "packets-in": b"3",
            "packets-out": b"1",
        }
    },
}
VALUE = IkeSa(
    "7",
    "ESTABLISHED",
    "203.0.113.1",
    "CN=alice",
    ("172.16.201.1",),
    (ChildSa("3", 252, 84, 3, 1),),
    "p2s-certificate",
)


def test_an_ike_sa_is_read_with_its_child() -> None:
    assert ike_sas({"p2s-certificate": SA}) == (VALUE,)


def test_up_and_down_are_distinguished() -> None:
    assert event("ike-updown", {"up": b"yes", "p2s-certificate": SA}) == [
        UpDown(up=True, sas=(VALUE,))
    ]
    assert event("ike-updown", {"p2s-certificate": SA}) == [UpDown(up=False, sas=(VALUE,))]


def test_a_log_line_names_its_ike_sa() -> None:
    message = {"group": b"CFG", "level": b"1", "ikesa-uniqueid": b"7", "msg": b"certificate\xff"}
    assert event("log", message) == [LogLine("CFG", "7", "certificate\ufffd")]
    assert event("log", message | {"ikesa-name": b"s2s-office"}) == [
        LogLine("CFG", "7", "certificate\ufffd", "s2s-office")
    ]


def test_child_updown_names_the_connection() -> None:
    message = {"up": b"yes", "s2s-office": SA}
    assert event("child-updown", message) == [ChildUpDown(("s2s-office",))]


def test_an_eap_identity_goes_before_the_ike_identity() -> None:
    (sa,) = ike_sas({"a": SA | {"remote-eap-id": b"bob"}})
    assert sa.remote_id == "bob"


def test_rekeying_names_both() -> None:
    assert event("ike-rekey", {"a": {"old": {"uniqueid": b"1"}, "new": {"uniqueid": b"2"}}}) == [
        IkeRekeyed("1", "2")
    ]
    message = {"a": SA | {"child-sas": {"p2s": {"old": {"uniqueid": b"3", "bytes-in": b"9"}}}}}
    assert event("child-rekey", message) == [ChildRekeyed("7", ChildSa("3", 9), "a")]


def test_a_counter_that_is_no_number_counts_nothing() -> None:
    (sa,) = ike_sas({"a": {"child-sas": {"c": {"bytes-in": "²".encode(), "bytes-out": b"-"}}}})
    assert sa.children == (ChildSa(""),)


def test_an_unknown_event_is_none() -> None:
    assert event("alert", {"a": SA}) == []


_message: Any = st.recursive(
    st.one_of(st.binary(max_size=8), st.lists(st.binary(max_size=8), max_size=3)),
    lambda inner: st.dictionaries(
        st.sampled_from(["uniqueid", "child-sas", "old", "new", "up", "remote-vips", "bytes-in"]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(["log", "ike-updown", "ike-rekey", "child-rekey", "x"]),
    st.dictionaries(st.text(max_size=8), _message, max_size=4),
)
def test_no_message_makes_it_raise(name: str, message: dict[str, Any]) -> None:
    event(name, message)
