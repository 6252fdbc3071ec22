"""What processes without rights, which read strangers' bytes, have in common."""
