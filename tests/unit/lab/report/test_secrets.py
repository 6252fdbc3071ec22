"""A topology's secrets are in no part of a report, whoever has said them."""

from __future__ import annotations

import json

import pytest

from lab.report.junit import junit
from lab.report.page import page
from lab.report.secrets import HIDDEN, Secrets
from lab.topology.load import load
from tests.rigs.played import TOPOLOGIES, played

OFFICE = ("Correct-Horse-1", "Battery-Staple-2", "Tr0ub4dor-and-3", "guessed",
          "secret between gateway and RADIUS", "key between gateway and site")  # fmt: skip


@pytest.mark.parametrize("secret", OFFICE)
def test_what_programs_said_is_told_without_secrets(secret: str) -> None:
    file, verdict = played("office", failed=(2,), words=f"User-Password = '{secret}'")
    document = verdict.as_data()
    whole = json.dumps(document) + page(document, file.topology, []) + junit([document]).decode()
    assert secret not in whole
    assert f"User-Password = '{HIDDEN}'" in document["results"][0]["detail"]


def test_a_secret_is_hidden_as_programs_quote_it_and_in_steps() -> None:
    key = 'a "quoted" \\ ké'
    data = {
        "sharedKey": key,
        "expect": [{"properties": {"radiusServers": [{"radiusServerSecret": "of a step"}]}}],
        "name": "of a name",
    }
    hidden = Secrets(data).hidden
    for quoted in (json.dumps(key), json.dumps(key, ensure_ascii=False)):
        assert hidden(quoted) == f'"{HIDDEN}"'
    assert hidden(["of a step", {"of a name": "of a name"}]) == [HIDDEN, {"of a name": "of a name"}]


def test_a_short_secret_is_hidden_as_a_word_only() -> None:
    hidden = Secrets({"sharedKey": "abc"}).hidden
    assert hidden("abc, abcd and abc.") == f"{HIDDEN}, abcd and {HIDDEN}."


def test_texts_of_steps_stay() -> None:
    """Where a secret is the name of a node, too."""
    file = load(TOPOLOGIES / "office.yaml")
    _, verdict = played(file)
    verdict.secrets = Secrets({"sharedKey": "alice"})
    verdict.add(verdict.results[2])
    assert verdict.results[-1].text.startswith("alice connects")
