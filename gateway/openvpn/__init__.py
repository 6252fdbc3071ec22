"""OpenVPN: one openvpn server, controlled over its management interface."""
