from __future__ import annotations

import re

import pytest

from lab.clients.strongswan_config import strongswan_conf
from lab.topology.planning.plan import TlsLimits


@pytest.mark.parametrize(
    ("patient", "slowness", "tries", "seconds"),
    [(False, 1.0, 2, 0.5), (False, 4.0, 2, 2.0), (True, 4.0, 50, 0.8)],
)
def test_on_a_slow_machine_a_client_gives_a_gateway_more_time(
    patient: bool, slowness: float, tries: int, seconds: float
) -> None:
    text = strongswan_conf(
        "/run/x", userspace=True, tls=TlsLimits(), patient=patient, slowness=slowness
    )
    assert int(re.findall(r"retransmit_tries = (\d+)", text)[0]) == tries
    assert float(re.findall(r"retransmit_timeout = (\S+)", text)[0]) == seconds


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (TlsLimits(), ["version_min = 1.2", "version_max = 1.2"]),
        (TlsLimits("1.1"), ["version_min = 1.0", "version_max = 1.1"]),
        (
            TlsLimits(ciphers=("TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA")),
            [
                "version_min = 1.2",
                "version_max = 1.2",
                "suites = TLS_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_AES_256_CBC_SHA",
            ],
        ),
    ],
)
def test_eap_tls_is_tls_1_2_alone_but_on_an_old_computer(
    limits: TlsLimits, expected: list[str]
) -> None:
    text = strongswan_conf("/run/x", userspace=True, tls=limits)
    assert [
        line.strip() for line in re.findall(r"tls \{\n(.*?)\n  \}", text, re.DOTALL)[0].split("\n")
    ] == expected
