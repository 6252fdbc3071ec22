"""Shared by all parts of the gateway: errors, vocabulary, files, waiting, nftables."""
