"""Client computers: drive the real VPN programs from the profile zip alone."""
