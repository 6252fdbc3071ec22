"""Steps in a line."""

from __future__ import annotations

import json

from lab.topology.model.steps import Update, text_of


def test_a_certificate_is_cut_off_and_no_word_else() -> None:
    data = "MIIFDTCCAvWgAwIBAgIUAS0g5bm09k0dZOcosvf9" * 30
    rows = [{"name": "new", "properties": {"publicCertData": data}}]
    text = text_of(Update(update="gw", properties={"roots": rows, "last": "x" * 64}))
    assert text.startswith("update gw properties ")
    found = json.loads(text.removeprefix("update gw properties "))
    assert found == {
        "roots": [{"name": "new", "properties": {"publicCertData": f"{data[:40]}..."}}],
        "last": "x" * 64,
    }
