"""The PKI: issuers exist, validity ends after it begins, certificate and key files match."""

from __future__ import annotations

from collections.abc import Iterator

from lab.choices import did_you_mean, listing
from lab.topology.model.topology import (
    Authority,
    ClientCertificate,
    GatewayCertificate,
    OtherCertificate,
    Topology,
)
from lab.topology.model.values import MAXIMUM_COMMON_NAME
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared

_OfPeople = Authority | ClientCertificate
_Certificate = _OfPeople | GatewayCertificate | OtherCertificate
_PARTS = {"key": "key", "password": "password", "passwordFile": "password"}


def _all(topology: Topology) -> Iterator[tuple[Path, _Certificate]]:
    yield from _of_people(topology)
    for name, gateway in topology.gateways.items():
        yield ("gateways", name, "serverCertificate"), gateway.serverCertificate
    for name, client in topology.clients.items():
        for index, other in enumerate(client.otherCertificates):
            yield ("clients", name, "otherCertificates", index), other


def _of_people(topology: Topology) -> Iterator[tuple[Path, _OfPeople]]:
    """Those that may come from files."""
    for name, authority in topology.pki.items():
        yield ("pki", name), authority
    for name, client in topology.clients.items():
        if client.certificate:
            yield ("clients", name, "certificate"), client.certificate


def issuers_exist(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """An issuer is a key of `pki`."""
    for path, certificate in _all(topology):
        issuer = certificate.issuer
        if issuer is not None and issuer not in declared.pki:
            remedy = did_you_mean(issuer, declared.pki - {path[1]})
            yield Problem((*path, "issuer"), f"there is no authority {issuer!r}", remedy)


def issuers_form_no_cycle(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Every chain of issuers ends at a root. A cycle is reported once, at its first name."""
    reported: set[str] = set()
    for name in topology.pki:
        chain = [name]
        while (authority := topology.pki.get(chain[-1])) and authority.issuer not in (None, *chain):
            chain.append(str(authority.issuer))
        last = topology.pki.get(chain[-1])
        if last and last.issuer == name and not reported & set(chain):
            reported |= set(chain)
            yield Problem(
                ("pki", name, "issuer"),
                f"{listing(chain)} issue each other" if chain[1:] else f"{name!r} issues itself",
                "leave the issuer of the root out",
            )


def names_fit_into_a_subject(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Without a subject, a certificate that the lab issues has its holder's name as common name."""
    for path, certificate in _of_people(topology):
        name = str(path[1])
        issued = certificate.subject is None and certificate.certificate is None
        if issued and len(name) > MAXIMUM_COMMON_NAME:
            yield Problem(
                path,
                f"{name!r} has {len(name)} characters, and a common name has at most "
                f"{MAXIMUM_COMMON_NAME}",
                "add a shorter `subject`",
                at_key=True,
            )


def validity_has_a_length(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Validity ends after it begins."""
    for path, certificate in _all(topology):
        begin, end = certificate.validFrom, certificate.validTo
        if end <= begin:
            key = "validTo" if "validTo" in certificate.model_fields_set else "validFrom"
            yield Problem(
                (*path, key),
                f"validity ends at {end:+d}d and begins at {begin:+d}d",
                "validTo must be later than validFrom; the defaults are -1d and +365d",
            )


def files_go_together(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """A key or password needs its certificate; a user's own file excludes the options of generated
    ones."""
    for path, certificate in _of_people(topology):
        for part in ("key", "password", "passwordFile"):
            if part in certificate.model_fields_set and not certificate.certificate:
                message, remedy = (
                    f"a {_PARTS[part]} without its certificate",
                    "add `certificate: FILE`",
                )
                yield Problem((*path, part), message, remedy)
        if certificate.password and certificate.passwordFile:
            message = "the password is given twice"
            yield Problem((*path, "passwordFile"), message, "leave out one or the other")
        options = {"subject", "validFrom", "validTo", "clientAuth"} & certificate.model_fields_set
        if certificate.certificate and options:
            yield Problem(
                (*path, "certificate"),
                f"{listing(sorted(options))} cannot be set in a certificate of your own",
                "leave out one or the other",
            )


def clients_have_issuer_or_files(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """A client's certificate has an issuer, or comes as a file."""
    for name, client in topology.clients.items():
        certificate, path = client.certificate, ("clients", name, "certificate")
        if certificate is None:
            continue
        if not certificate.certificate and certificate.issuer is None:
            yield Problem(
                path,
                "the certificate has no issuer",
                "add `issuer:`, a key of `pki`, or a `certificate:` file with its key",
            )


def others_stand_beside_one(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Other certificates are those beside the one that is shown."""
    for name, client in topology.clients.items():
        if client.otherCertificates and client.certificate is None:
            yield Problem(
                ("clients", name, "otherCertificates"),
                f"{name!r} shows no certificate, so otherCertificates has no effect",
                "name the one that it shows with `certificate`",
            )


def issuing_needs_a_key(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """An authority from the user's own file can only issue with its private key."""
    for path, certificate in _all(topology):
        issuer = topology.pki.get(certificate.issuer or "")
        has_file = isinstance(certificate, _OfPeople) and certificate.certificate
        if issuer and issuer.certificate and not issuer.key and not has_file:
            yield Problem(
                (*path, "issuer"),
                f"{certificate.issuer!r} cannot issue: its private key is missing",
                f"add `key: FILE` to pki.{certificate.issuer}, or give this certificate as a file",
            )


RULES = (
    issuers_exist,
    issuers_form_no_cycle,
    names_fit_into_a_subject,
    validity_has_a_length,
    files_go_together,
    clients_have_issuer_or_files,
    others_stand_beside_one,
    issuing_needs_a_key,
)
