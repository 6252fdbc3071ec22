"""Names and passwords that programs take for something else, at the real FreeRADIUS, with the real
clients."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway.common.vocabulary import VpnProtocol
from lab.clients.computer import Computer
from lab.topology.model.persona import client_system
from lab.topology.model.topology import SstpClient
from lab.topology.planning.plan import ClientPlan
from lab.vpn_client import RefusedError
from lab.waiting import wait_until
from tests.e2e.test_sstpc import with_ppp
from tests.rigs.gateway_bench import address_of
from tests.rigs.patience import PATIENCE
from tests.rigs.sstp_radius_bench import BENCH_PLAN, Bench, on_a_gateway

LATIN = {
    "alice": "Pässwörd ¿\u00a0?",
    "O'Brien": "it's",
    'q"uote': '"double" \\" back\\slash\\',
    "Jörg Müller": "  spaces at both ends  ",
    "-dash": "-leading",
    "%{User-Name}": "%{Cleartext-Password} %n%s",
    "$HOME `id`": "$HOME `id` $(id)",
    "DEFAULT": "#hash # comment",
    "CORP\\carol": "in a domain",
    "dave@corp.test": "in a realm",
    "a,b=c+d;<e>|f*g?": "a,b;c=d",
    "' Auth-Type := Accept #": "' Auth-Type := Accept #",
    "$INCLUDE /etc/passwd": "\\'",
    " ends in spaces ": "\\",
    "ü" * 126 + "x": "y" * 255,
    "0x616c696365": "0x616c696365",
}
"""Those that pppd can type."""
WIDE = {
    "иван": "пароль",
    "snow ☃": "Pässwörd ☃ 😀",
    "longest": "z" * 256,
    "emoji": "😀" * 128,
}
WRONG = {
    "alice": "PÃ¤sswÃ¶rd ¿\u00a0?",
    "Jörg Müller": "spaces at both ends",
    "ü" * 126 + "x": "y" * 254,
    "longest": "z" * 255,
    "carol": "in a domain",
    "somebody": "#hash # comment",
}
"""Alike, but not the same; and nobody is DEFAULT."""


async def all_sign_in(
    bench: Bench, over: VpnProtocol, sstp: SstpClient, people: Iterable[tuple[str, str]]
) -> None:
    await bench.serve(users=LATIN | WIDE)
    await bench.gateway.put(bench.radius("IkeV2", "SSTP"))
    for name, password in people:
        assert await signed_in(bench, over, sstp, name, password), name
    for name, password in WRONG.items():
        assert not await signed_in(bench, over, sstp, name, password), name


async def signed_in(
    bench: Bench, over: VpnProtocol, sstp: SstpClient, name: str, password: str
) -> bool:
    """Whether they let this user in; the session is of this name."""

    async def nobody() -> bool:
        return not await bench.gateway.sessions()

    secret = SecretStr(password)
    plan = ClientPlan(
        "pc1",
        "pc1",
        client_system("windows10"),
        "gw",
        "net",
        (over,),
        user=name,
        password=secret,
        sstp_client=sstp,
    )
    computer = Computer(
        plan, node=bench.nodes["pc1"], access=bench.nodes["net"], address=address_of("pc1"),
        gateway=bench.gateway,
        credential=None,
    )  # fmt: skip
    try:
        await computer.dial(over)
    except RefusedError:
        return False
    (row,) = await bench.gateway.sessions()
    assert row["vpnUserName"] == name
    await computer.hang_up()
    await wait_until("its session is over", PATIENCE, nobody)
    return True


@pytest.mark.parametrize("over", ["IkeV2", "SSTP"])
def test_any_name_and_password_signs_in(tmp_path: Path, over: VpnProtocol) -> None:
    people = (LATIN | WIDE).items()
    on_a_gateway(tmp_path, lambda bench: all_sign_in(bench, over, "python", people))


def test_any_name_and_password_that_pppd_knows_signs_in_with_the_real_sstpc(
    tmp_path: Path,
) -> None:
    people = LATIN.items()
    plan = with_ppp(BENCH_PLAN)
    on_a_gateway(tmp_path, lambda bench: all_sign_in(bench, "SSTP", "sstpc", people), plan)
