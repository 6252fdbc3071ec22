"""The only code that calls the kernel: namespaces, netlink, nftables, processes."""
