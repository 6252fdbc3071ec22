"""Active Directory's own rules for the names and passwords of its accounts."""

from __future__ import annotations

from collections.abc import Iterator

from lab.choices import did_you_mean
from lab.topology.model.site_services import Directory
from lab.topology.model.topology import Topology
from lab.topology.planning.radius_servers import radius_nodes
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared
from radius.directory import CONTROLLER, built_in, member_name, password_flaw


def _all(topology: Topology) -> Iterator[tuple[str, Path, Directory]]:
    for name, site in topology.sites.items():
        if site.directory:
            yield name, ("sites", name, "directory"), site.directory


def passwords_are_accepted(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """The domain's policy for passwords; messages never contain one."""
    for _, path, directory in _all(topology):
        for name, user in directory.users.items():
            flaw = password_flaw(user.password.get_secret_value())
            if flaw:
                yield Problem(
                    (*path, "users", name, "password"),
                    f"Active Directory refuses the password: {flaw}",
                    "at least 7 characters, of three kinds: capital and small letters, digits, "
                    "punctuation",
                )


def account_names_are_free(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Users, groups and computers share one namespace, in which case makes no difference."""
    for _, path, directory in _all(topology):
        first: dict[str, str] = {}
        for name in directory.users:
            place: Path = (*path, "users", name)
            if built_in(name):
                yield Problem(place, f"the domain has an account {name!r} of its own",
                              "choose another name", at_key=True)  # fmt: skip
            elif name.lower() in first:
                message = f"{name!r} and {first[name.lower()]!r} are one name in a domain"
                yield Problem(place, message, "choose another name", at_key=True)
            first.setdefault(name.lower(), name)
        yield from _groups(path, directory, first)


def _groups(path: Path, directory: Directory, users: dict[str, str]) -> Iterator[Problem]:
    spelt: dict[str, str] = {}
    for name, user in directory.users.items():
        for index, group in enumerate(user.groups):
            place: Path = (*path, "users", name, "groups", index)
            if built_in(group):
                yield Problem(place, f"the domain has a group {group!r} of its own",
                              "name a group of the topology's own")  # fmt: skip
            elif group.lower() in users:
                yield Problem(place, f"{group!r} is the name of a user", "choose another name")
            elif spelt.setdefault(group.lower(), group) != group:
                yield Problem(place, f"the group is spelt {spelt[group.lower()]!r} elsewhere",
                              f"write {spelt[group.lower()]}")  # fmt: skip


def groups_have_members(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """The group whose members a RADIUS server lets in is one that users are in."""
    for node in radius_nodes(topology):
        site = topology.sites.get(node.site or "")
        group = node.service.group
        if group is None or site is None or site.directory is None:
            continue
        known = frozenset(one for user in site.directory.users.values() for one in user.groups)
        whole = declared.whole("sites", node.site or "", "directory")
        if whole and group.lower() not in {one.lower() for one in known}:
            yield Problem(
                (*node.path, "group"),
                f"no user of the directory is in a group {group!r}",
                did_you_mean(group, known) if known else f"add `groups: [{group}]` to a user",
            )


def domains_are_not_computers(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """The NetBIOS name of a domain is none of its computers'."""
    for name, path, directory in _all(topology):
        servers = [node for node in radius_nodes(topology) if node.site == name]
        members = [member_name(number) for number in range(1, len(servers) + 1)]
        if directory.domain in (CONTROLLER, *members):
            yield Problem(
                (*path, "realm"),
                f"{directory.domain} is the name of a computer of the domain",
                "choose another, such as corp.test",
            )


RULES = (
    passwords_are_accepted,
    account_names_are_free,
    groups_have_members,
    domains_are_not_computers,
)
