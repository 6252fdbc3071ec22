"""A site's VPN device: what it is told, and when."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.roles import site
from lab.topology.planning.specs import VpnDeviceSpec


async def test_addresses_are_added_once_and_only_when_charon_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, kernel-libipsec's device is not there; a second time, they exist."""
    done: list[str] = []

    class Device(site.Device):
        async def take_key(self) -> None:
            done.append("key")
            if len(done) < 3:
                raise FileNotFoundError("charon.vici")

        async def load(self) -> None:
            done.append("load")

    async def nothing(*_: object, **__: object) -> Any:
        return SimpleNamespace(userspace=True, code=None, log=None, pid=1)

    node = SimpleNamespace(
        name="office", run_directory=tmp_path, call=nothing, write=nothing, spawn=nothing
    )
    monkeypatch.setattr(site, "Device", Device)
    await site.start(cast("Any", node), cast("VpnDeviceSpec", None), cast("Any", None))
    assert done == ["key", "key", "key", "load"]
