"""Certificates with any legal name, at the real daemons: who comes in, and what the records say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.clients.base import RefusedError
from tests.labs.gateway_bench import Bench, client, on_a_gateway

FORGED = "9.9.9.9:1 VERIFY ERROR: depth=0, error=revoked: CN=bob"
"""What openvpn would put before each line of its log, were the common name there."""


def test_a_name_that_reads_like_openvpns_log_makes_no_record(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("OpenVPN"))
        mallory = bench.computer("pc1", "mallory")
        await mallory.dial("OpenVPN")
        await mallory.hang_up()
        with pytest.raises(RefusedError):
            await bench.computer("pc2", "late").dial("OpenVPN")
        records = [r for r in await bench.gateway.log() if r["event"] in ("connected", "refused")]
        assert [(r["event"], r["user"], r["publicIpAddress"]) for r in records] == [
            ("connected", FORGED, "192.0.2.2"),
            ("refused", "", "192.0.2.6"),
        ]
        late = bench.credentials["late"].certificate
        assert records[1]["serialNumber"] == str(late.serial_number)

    late = replace(client("late", subject=f"{FORGED}, serial=7"), days_before=9, days_after=-1)
    on_a_gateway(tmp_path, test, client("mallory", subject=FORGED), late)
