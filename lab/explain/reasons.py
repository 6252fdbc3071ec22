"""Why a dial was refused: the layer, the cause and the remedy of each reason. Pure."""

from __future__ import annotations

from typing import NamedTuple

from lab.explain.model import Layer


class Meaning(NamedTuple):
    """What a reason says. Where it has no cause, what is looked at because of it says more."""

    layer: Layer
    cause: str = ""
    remedy: str = "see the proof"


_MEANINGS: dict[str, Meaning] = {
    "no-answer": Meaning("firewall"),
    "proxy": Meaning("proxy"),
    "system": Meaning("client-policy"),
    "administrator": Meaning("client-policy"),
    "no-protocol": Meaning("profile-stale"),
    "tls": Meaning("tls"),
    "protocol": Meaning("tls"),
    "binding": Meaning("tls"),
    "timeout": Meaning(
        "firewall",
        "the gateway waited for the client's next message in vain",
        "see what drops packets between them",
    ),
    "no-proposal": Meaning(
        "ike-proposal",
        "client and gateway have no common IKE or ESP proposal",
        "make the client's proposals or the gateway's vpnClientIpsecPolicies fit",
    ),
    "untrusted": Meaning(
        "certificate",
        "the certificate's root is not among those that are uploaded to the gateway",
        "upload the root as a row of vpnClientRootCertificates, or show another certificate",
    ),
    "server-untrusted": Meaning(
        "certificate",
        "the client does not trust the gateway's server certificate",
        "take a new profile: it has the root of the gateway's certificate",
    ),
    "expired": Meaning("certificate", "the client certificate has expired", "issue a new one"),
    "not-yet-valid": Meaning(
        "certificate",
        "the client certificate is not valid yet by the gateway's clock",
        "compare the clocks, or wait until it is valid",
    ),
    "no-client-auth": Meaning(
        "certificate",
        "the client certificate has no clientAuth in its extended key usage",
        "issue one with clientAuth (1.3.6.1.5.5.7.3.2)",
    ),
    "no-certificate": Meaning(
        "certificate", "the client has no certificate to show", "install one with its key"
    ),
    "certificate": Meaning(
        "certificate",
        "the RADIUS server does not accept the certificate",
        "let the server trust its authority, or show a certificate that the server takes",
    ),
    "revoked": Meaning("revocation"),
    "certificate-revoked": Meaning(
        "revocation",
        "the certificate is revoked by its authority's list, which the RADIUS server reads",
        "issue a new certificate",
    ),
    "radius-no-answer": Meaning("radius-path"),
    "radius-unsigned": Meaning(
        "radius-secret",
        "the RADIUS server's answers have no Message-Authenticator, and the gateway makes no "
        "exception for it: it takes none of them (CVE-2024-3596)",
        "let the server sign all answers, or make an exception for it at the gateway",
    ),
    "second-factor-denied": Meaning("factor", "the user denied the second factor", "approve it"),
    "second-factor-late": Meaning(
        "factor",
        "the second factor was not approved within 30 s, as long as gateways wait",
        "approve on the telephone in time",
    ),
    "typed-code": Meaning(
        "factor",
        "the second factor asks for a typed code, which VPN clients cannot show",
        "use a push in its place",
    ),
    "limit": Meaning("limit"),
    "no-address": Meaning(
        "pool",
        "the protocol's part of the client address pool is used up",
        "enlarge vpnClientAddressPool, or end sessions",
    ),
    "fault": Meaning("gateway-down"),
    "disabled": Meaning("radius-verdict", "the account is disabled", "enable the account"),
    "locked-out": Meaning(
        "radius-verdict", "the account is locked out after wrong passwords", "unlock the account"
    ),
    "must-change-password": Meaning(
        "radius-verdict", "the password must be changed first", "change it elsewhere"
    ),
    "account-expired": Meaning("radius-verdict", "the account has expired", "extend the account"),
    "outside-hours": Meaning(
        "radius-verdict", "the account's logon hours exclude this moment", "see its logon hours"
    ),
    "not-in-group": Meaning(
        "radius-verdict",
        "the user is not in the group that the server requires",
        "add the user to it",
    ),
    "unknown-user": Meaning(
        "radius-verdict", "the server does not know the user", "create the account, or see the name"
    ),
    "password": Meaning("radius-verdict", "the password is wrong", "type the right one"),
    "no-method": Meaning(
        "radius-verdict",
        "the server does not accept the client's authentication method",
        "enable the method at the server",
    ),
    "no-directory": Meaning(
        "radius-verdict",
        "the RADIUS server cannot reach its domain controller",
        "start the domain controller, or see the way to it",
    ),
    "no-keys": Meaning(
        "radius-verdict",
        "the server accepted without keys for the tunnel",
        "let it send MS-MPPE keys",
    ),
}


def meaning_of(reason: str) -> Meaning:
    """The layer, the cause and the remedy. Other reasons than those above are the RADIUS server's
    verdict on an account."""
    known = _MEANINGS.get(reason, Meaning("radius-verdict"))
    return known if known.cause else known._replace(cause=f"refused ({reason})")
