"""The SSTP worker drops its rights although no other user may read an ordinary user's home."""

from __future__ import annotations

import pytest

from tests.harness import as_user
from tests.rigs.once_more import passes

TESTS = (
    "tests/unit/gateway/sstp/worker/test_privileges.py",
    "tests/unit/gateway/unprivileged/test_privileges.py",
    "tests/e2e/test_gateway_sstp_worker.py",
)


@pytest.mark.skipif(not as_user.possible(), reason="these tests run as an ordinary user already")
def test_a_users_gateway_has_a_worker_without_rights_too() -> None:
    passes(*TESTS)
