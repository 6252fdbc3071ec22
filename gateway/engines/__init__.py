"""One engine a protocol: each reconciles a real daemon with the desired state."""
