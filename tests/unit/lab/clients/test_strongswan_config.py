from __future__ import annotations

import re

import pytest

from lab.clients.strongswan_config import strongswan_conf


@pytest.mark.parametrize(
    ("patient", "slowness", "tries", "seconds"),
    [(False, 1.0, 2, 0.5), (False, 4.0, 2, 2.0), (True, 4.0, 50, 0.8)],
)
def test_on_a_slow_machine_a_client_gives_a_gateway_more_time(
    patient: bool, slowness: float, tries: int, seconds: float
) -> None:
    text = strongswan_conf("/run/x", userspace=True, patient=patient, slowness=slowness)
    assert int(re.findall(r"retransmit_tries = (\d+)", text)[0]) == tries
    assert float(re.findall(r"retransmit_timeout = (\S+)", text)[0]) == seconds
