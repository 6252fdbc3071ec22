"""The VPN client configuration zip."""
