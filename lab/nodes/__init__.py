"""A node is where programs run."""
