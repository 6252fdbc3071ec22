"""The requests to winbindd; tests/e2e/test_directory.py shows that it answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from radius.winbind import MSCHAPV2, PLAIN, RESPONSE, params, taken


def test_the_question_is_read_once_and_the_last_line_counts(tmp_path: Path) -> None:
    path = tmp_path / "question"
    path.write_text(f"{b'bob'.hex()} 00 00\n{b'CORP-alice'.hex()} {b'p w'.hex()}\n")
    assert taken(str(path)) == [b"CORP-alice", b"p w"]
    assert path.read_bytes() == b""
    with pytest.raises(IndexError):
        taken(str(path))


def test_a_password_and_a_response_are_asked_of_the_domain() -> None:
    plain = params([b"CORP\\alice", b"Pa55w0rd!"], "CORP")
    assert (plain.account_name, plain.domain_name, plain.level) == (b"alice", b"CORP", PLAIN)
    assert plain.password.plaintext == b"Pa55w0rd!"
    asked = params([b"alice", bytes(range(8)), bytes(range(24))], "CORP")
    assert (asked.level, asked.parameter_control) == (RESPONSE, MSCHAPV2)
    response = asked.password.response
    assert (bytes(response.challenge), response.nt_length) == (bytes(range(8)), 24)


@pytest.mark.parametrize(
    "fields",
    [
        [b"alice\0bob", b"x"],
        [b"alice", b"x\0y"],
        [b"alice", b"\0", b"\0"],
        [b"alice", bytes(8), bytes(23)],
        [b"alice"],
        [b"alice", b"", b"", b""],
    ],
)
def test_other_fields_are_not_asked(fields: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"^(not a user name|neither a password nor a response)"):
        params(fields, "CORP")
