"""Azure's documents: what they say, and what Azure refuses."""
