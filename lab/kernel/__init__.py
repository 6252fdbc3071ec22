"""The only code that speaks to the kernel: namespaces, netlink, nftables, processes."""
