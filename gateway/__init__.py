"""Azure's point-to-site gateway as an ordinary program; it knows nothing of namespaces."""
