"""The PKI: issuers that are there, validity that ends after it began, files that go together."""

from __future__ import annotations

from collections.abc import Iterator

from lab.choices import did_you_mean, listing
from lab.topology.model.topology import Authority, ClientCertificate, Topology
from lab.topology.reading.problems import Path, Problem
from lab.topology.rules.declared import Declared

_Certificate = Authority | ClientCertificate


def _all(topology: Topology) -> Iterator[tuple[Path, _Certificate]]:
    for name, authority in topology.pki.items():
        yield ("pki", name), authority
    for name, client in topology.clients.items():
        if client.certificate:
            yield ("clients", name, "certificate"), client.certificate


def issuers_are_there(topology: Topology, declared: Declared) -> Iterator[Problem]:
    """An issuer is one of `pki`."""
    for path, certificate in _all(topology):
        issuer = certificate.issuer
        if issuer is not None and issuer not in declared.pki:
            remedy = did_you_mean(issuer, declared.pki - {path[1]})
            yield Problem((*path, "issuer"), f"there is no authority {issuer!r}", remedy)


def issuers_form_no_circle(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """Following issuers ends at a root. A circle is told once, at the first of its names."""
    told: set[str] = set()
    for name in topology.pki:
        chain = [name]
        while (authority := topology.pki.get(chain[-1])) and authority.issuer not in (None, *chain):
            chain.append(str(authority.issuer))
        last = topology.pki.get(chain[-1])
        if last and last.issuer == name and not told & set(chain):
            told |= set(chain)
            yield Problem(
                ("pki", name, "issuer"),
                f"{listing(chain)} issue each other" if chain[1:] else f"{name!r} issues itself",
                "leave the issuer of the root out",
            )


def validity_has_a_length(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """It ends after it began."""
    for path, certificate in _all(topology):
        if certificate.validTo <= certificate.validFrom:
            said = "validTo" if "validTo" in certificate.model_fields_set else "validFrom"
            yield Problem(
                (*path, said),
                f"it ends at {certificate.validTo:+d}d and begins at {certificate.validFrom:+d}d",
                "validTo must be later than validFrom; both have defaults, -1d and +365d",
            )


def files_go_together(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """A key goes with a certificate; one's own file excludes what would be made."""
    for path, certificate in _all(topology):
        if certificate.key and not certificate.certificate:
            yield Problem(
                (*path, "key"), "a key without its certificate", "add `certificate: FILE`"
            )
        made = {"subject", "validFrom", "validTo", "clientAuth"} & certificate.model_fields_set
        if certificate.certificate and made:
            yield Problem(
                (*path, "certificate"),
                f"{listing(sorted(made))} cannot be set in a certificate of your own",
                "leave out one or the other",
            )


def clients_have_issuer_or_files(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """A client's certificate is issued here, or brought along with its key."""
    for name, client in topology.clients.items():
        certificate, path = client.certificate, ("clients", name, "certificate")
        if certificate is None:
            continue
        if certificate.certificate and not certificate.key:
            yield Problem(path, "a certificate without its key", "add `key: FILE`")
        if not certificate.certificate and certificate.issuer is None:
            yield Problem(
                path, "nobody issues it", "add `issuer:`, one of `pki`, or bring your own"
            )


def issuing_needs_a_key(topology: Topology, _declared: Declared) -> Iterator[Problem]:
    """An authority of the user's own issues only with its private key."""
    for path, certificate in _all(topology):
        issuer = topology.pki.get(certificate.issuer or "")
        issued_here = not certificate.certificate
        if issuer and issuer.certificate and not issuer.key and issued_here:
            yield Problem(
                (*path, "issuer"),
                f"{certificate.issuer!r} cannot issue: its private key is not there",
                f"add `key: FILE` to pki.{certificate.issuer}, or bring this certificate along too",
            )


RULES = (
    issuers_are_there,
    issuers_form_no_circle,
    validity_has_a_length,
    files_go_together,
    clients_have_issuer_or_files,
    issuing_needs_a_key,
)
