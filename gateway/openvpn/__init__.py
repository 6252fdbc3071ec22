"""OpenVPN: one openvpn server, driven over its management interface."""
