"""OpenVPN/vpnconfig.ovpn: Azure's published directives (docs/facts.md §1).

The user replaces $CLIENTCERTIFICATE and $PRIVATEKEY by certificate and key. The client checks the
gateway's id as the certificate's name, not the host name that it connects to.
"""

from __future__ import annotations


def vpnconfig(fqdn: str, certificate_name: str, root: str, tls_auth: str) -> str:
    """The configuration; `root` and `tls_auth` are the contents of their files."""
    return f"""client
remote {fqdn} 443
verify-x509-name '{certificate_name}' name
remote-cert-tls server

dev tun
proto tcp
resolv-retry infinite
nobind

auth SHA256
cipher AES-256-GCM
persist-key
persist-tun

tls-timeout 30
tls-version-min 1.2
key-direction 1

log openvpn.log
verb 3

<ca>
{root.strip()}
</ca>

<tls-auth>
{tls_auth.strip()}
</tls-auth>

<cert>
$CLIENTCERTIFICATE
</cert>

<key>
$PRIVATEKEY
</key>
"""
