"""The disk under the logs is full: users still come in, or not, and are told why."""

from __future__ import annotations

from lab.runtime.directory import BASE
from tests.rigs.transcript import run

FILL = f"dd if=/dev/zero of={BASE}/quickstart/log/fill bs=64k 2>/dev/null; true"


def test_a_lab_goes_on_without_its_logs() -> None:
    said = run(
        [
            "p2slab up topologies/quickstart.yaml",
            FILL,
            "p2slab connect bob --quiet",
            "p2slab check 'bob reaches app1:80'",
            "p2slab connect carol --quiet",
            "p2slab explain carol",
            "p2slab revoke bob",
            "p2slab check 'bob disconnected'",
            "p2slab logs contoso-gw gateway",
            f"rm {BASE}/quickstart/log/fill",
            "p2slab connect alice",
            "p2slab logs alice charon | tail -1",
            "p2slab down",
        ],
        size="4m",
    )
    assert "Traceback" not in said
    assert "bob connects: OpenVPN" in said
    assert "bob reaches host app1 port 80: 10.1.1.4:80 accepts" in said
    assert "carol is not connected: IkeV2: the certificate" in said
    assert "alice connects: IkeV2" in said
