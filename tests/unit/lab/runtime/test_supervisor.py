"""The supervisor, without a lab."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lab.runtime import journal
from lab.runtime.supervisor import StartState, Supervisor
from tests.rigs.bare_body import BareBody


class Body(BareBody):
    def __init__(self, own: Path) -> None:
        self._own = own

    def own_logs(self) -> Iterable[Path]:
        return (self._own,)


def test_all_logs_are_kept_small_but_the_journal_which_does_so_itself(tmp_path: Path) -> None:
    logs = tmp_path / "log"
    (logs / "alice").mkdir(parents=True)
    for name in ("supervisor.log", "alice/charon.log", "alice/charon.log.old", journal.NAME):
        (logs / name).touch()
    directory: Any = SimpleNamespace(logs=logs)
    body: Any = Body(tmp_path / "squid/access.log")
    found = {*Supervisor(directory, body, StartState(0.0, 0))._logs()}
    names = {str(path.relative_to(tmp_path)) for path in found}
    assert names == {"log/supervisor.log", "log/alice/charon.log", "squid/access.log"}
