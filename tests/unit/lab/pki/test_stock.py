"""The length of the keys of the stock."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.pki import stock


def test_keys_are_as_long_as_the_seed_demands(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(rsa, "generate_private_key", lambda **options: asked.append(options))
    stock.fresh_key()
    assert [options["key_size"] for options in asked] == [4096]
