"""The names of roots that a server sends as hints."""

from __future__ import annotations

import pytest
from cryptography import x509
from OpenSSL import SSL

from gateway.ppp.tls_contexts import MOST_NAMES, name_client_roots, server_context
from tests.unit.gateway.common import test_anchors as made


@pytest.mark.parametrize(("count", "sent"), [(20, 20), (MOST_NAMES // 60, 0)])
def test_names_are_sent_while_they_fit_into_a_message(count: int, sent: int) -> None:
    names = [made.name(f"{number:064}") for number in range(count)]
    roots = tuple(made.issue(name, made.constraints(ca=True))[0] for name in names)
    context = server_context(*made.issue(x509.Name([])))
    name_client_roots(context, roots)
    assert len(SSL.Connection(context).get_client_ca_list()) == sent
