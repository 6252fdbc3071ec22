"""The management interface's bytes as events, and commands as bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.openvpn.management import (
    LONGEST_LINE,
    Answer,
    ClientEvent,
    Event,
    LogLine,
    Management,
    StateLine,
    client_auth,
    client_deny,
)

CONNECT = b""">CLIENT:CONNECT,3,1
>CLIENT:ENV,n_clients=0
>CLIENT:ENV,common_name=0x1A
>CLIENT:ENV,tls_digest_1=aa:bb
>CLIENT:ENV,tls_digest_0=01:ef
>CLIENT:ENV,tls_digest_sha256_0=ff:ff
>CLIENT:ENV,untrusted_ip=192.0.2.10
>CLIENT:ENV,X509_0_CN=al=ice
>CLIENT:ENV,END
"""


def events(data: bytes, size: int | None = None) -> list[Event]:
    reader = Management()
    step = size or len(data)
    return [e for i in range(0, len(data), step) for e in reader.feed(data[i : i + step])]


def test_a_client_comes_with_its_environment() -> None:
    (event,) = events(CONNECT)
    assert isinstance(event, ClientEvent)
    assert (event.kind, event.cid, event.kid) == ("CONNECT", "3", "1")
    assert event.env["X509_0_CN"] == "al=ice"


@given(st.integers(1, 40))
def test_pieces_of_any_size_give_the_same_events(size: int) -> None:
    assert events(CONNECT, size) == events(CONNECT)


def test_answers_and_notifications_are_distinguished() -> None:
    data = b"SUCCESS: pid=1\n>LOG:1,I,hello, world\nERROR: no\n>STATE:1,CONNECTED,SUCCESS,,,\r\n"
    assert events(data) == [
        Answer(ok=True, text="pid=1"),
        LogLine("I", "hello, world"),
        Answer(ok=False, text="no"),
        StateLine("CONNECTED", "SUCCESS"),
    ]


def test_an_answer_of_many_lines_ends_with_end() -> None:
    assert events(b"TITLE\tx\nCLIENT_LIST\ta\n>LOG:1,I,between\nEND\n")[-1] == Answer(
        ok=True, text="", lines=("TITLE\tx", "CLIENT_LIST\ta")
    )


def test_an_endless_line_does_not_fill_the_memory() -> None:
    reader = Management()
    for _ in range(10):
        reader.feed(b">" + b"x" * LONGEST_LINE)
    assert len(reader._buffer) <= LONGEST_LINE


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_no_bytes_at_all_make_it_raise(pieces: list[bytes]) -> None:
    reader = Management()
    for piece in pieces:
        reader.feed(piece)


_words = st.sampled_from(
    [
        b">CLIENT:",
        b"ENV,",
        b"CONNECT,1,2",
        b"END",
        b"\n",
        b">LOG:",
        b",",
        b"SUCCESS:",
        b"=",
        b"\xff",
    ]
)


@given(st.lists(_words, max_size=60))
def test_no_mixture_of_keywords_makes_it_raise(words: list[bytes]) -> None:
    Management().feed(b"".join(words))


def test_a_client_is_admitted_with_its_configuration() -> None:
    assert client_auth("3", "1", ("ifconfig-push a b",)) == (
        b"client-auth 3 1\nifconfig-push a b\nEND\n"
    )


@given(st.text(alphabet='ab"\\\n\x00é', max_size=20))
def test_a_reason_cannot_break_out_of_its_quotes(reason: str) -> None:
    command = client_deny("3", "1", reason, "x").decode()
    assert command.count("\n") == 1
    inner = command.removeprefix('client-deny 3 1 "').removesuffix('" "x"\n')
    unescaped = inner.replace("\\\\", "").replace('\\"', "")
    assert '"' not in unescaped
    assert not unescaped.endswith("\\")
