"""What all parts of the gateway use: errors, words, files, waiting, nftables."""
