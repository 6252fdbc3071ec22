"""Batches against a real kernel, in a network namespace of the test's own."""

from __future__ import annotations

import pytest

from gateway.common import calls
from lab.errors import LabError
from lab.kernel import nft, requests, sysctls
from lab.kernel.netlink import KernelError, Netlink
from lab.kernel.requests import LOOPBACK
from tests.rigs.isolated import isolated


def test_a_refusal_names_its_request_and_quotes_the_kernel() -> None:
    def try_it() -> None:
        with pytest.raises(KernelError) as refused:
            Netlink().apply([requests.up(LOOPBACK), requests.route("10.9.0.0/16", "192.0.2.1")])
        assert str(refused.value) == (
            "[Errno 101] route add 10.9.0.0/16 via 192.0.2.1: Network is unreachable "
            "(Nexthop has invalid gateway)"
        )

    isolated(try_it)


def test_the_kernel_goes_on_after_a_refusal_and_every_refusal_is_told() -> None:
    def try_it() -> None:
        with pytest.raises(KernelError) as refused:
            Netlink().apply(
                [requests.address(77, "10.0.0.2/24"), requests.address(78, "10.0.0.2/24")]
            )
        assert "dev index 77: No such device" in str(refused.value)
        assert "dev index 78: No such device" in refused.value.__notes__[0]

    isolated(try_it)


def test_more_requests_than_fit_one_send_are_all_carried_out() -> None:
    def try_it() -> None:
        netlink = Netlink()
        netlink.apply([requests.address(LOOPBACK, f"10.0.{n}.1/32") for n in range(250)])
        # ... and a whole batch of refusals fits the receive buffer
        with pytest.raises(KernelError) as refused:
            netlink.apply([requests.address(LOOPBACK, f"10.0.{n}.1/32") for n in range(250)])
        assert len(refused.value.__notes__) == 127
        assert "File exists" in str(refused.value)

    isolated(try_it)


def test_the_socket_can_be_used_after_a_refusal() -> None:
    def try_it() -> None:
        netlink = Netlink()
        with pytest.raises(KernelError):
            netlink.apply([requests.up(77)])
        netlink.apply([requests.up(LOOPBACK)])
        assert requests.is_running(netlink.ask([requests.show(LOOPBACK)])[0])

    isolated(try_it)


def test_nftables_refuses_with_caret_and_reason_and_changes_nothing() -> None:
    def try_it() -> None:
        with pytest.raises(LabError) as refused:
            nft.run("add table ip t\nadd rule ip nothere c accept")
        assert "Could not process rule: No such file or directory" in str(refused.value)
        assert "^^^" in str(refused.value)
        assert nft.run("list ruleset") == ""

    isolated(try_it)


def test_nftables_act_on_the_namespace_of_the_calling_thread() -> None:
    def try_it() -> None:
        nft.run("add table ip first")
        calls.unshare(calls.NEWNET)
        assert nft.run("list ruleset") == ""
        nft.run("add table ip second")
        assert "second" in nft.run("list ruleset")

    isolated(try_it)


def test_a_sysctl_that_is_not_there_is_told_but_for_ipv6() -> None:
    def try_it() -> None:
        sysctls.write({"ipv6/conf/nothere/forwarding": "1"})
        with pytest.raises(FileNotFoundError):
            sysctls.write({"ipv4/nothere": "1"})

    isolated(try_it)
