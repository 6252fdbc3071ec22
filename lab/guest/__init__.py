"""What runs inside a user-mode Linux node: standard library only, and little of it, because
starting Python there costs ten times what it costs here."""
