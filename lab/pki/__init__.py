"""Certificate authorities and certificates, made as the seed describes."""
