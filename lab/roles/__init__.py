"""What a node runs: the daemons of each part of the world."""
