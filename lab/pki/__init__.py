"""Certificate authorities and certificates, as the seed says they are made."""
