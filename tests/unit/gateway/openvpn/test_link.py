"""The connection to openvpn: commands that must be executed together are one write."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.openvpn.link import ManagementLink
from gateway.openvpn.management import client_deny, client_pending


async def test_the_pending_notice_and_the_decision_are_one_write(tmp_path: Path) -> None:
    """With two writes, one connect in fifteen took a second: openvpn acted when its timer fired."""
    path = tmp_path / "management.sock"
    link = ManagementLink(path, lambda _event: None)
    await link.listen()
    reader, writer = await asyncio.open_unix_connection(str(path))
    await reader.read(1)  # its first words: it is connected
    written: list[bytes] = []
    link._writer.write = written.append  # type: ignore[union-attr, method-assign, assignment]
    link.send_together(client_pending("1", "2"), client_deny("1", "2", "why", "Refused"))
    assert written == [client_pending("1", "2") + client_deny("1", "2", "why", "Refused")]
    writer.close()
    link.close()
