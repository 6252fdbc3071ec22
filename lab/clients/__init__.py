"""Client computers: drivers of real VPN programs, configured only from the profile zip."""
