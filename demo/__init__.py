"""Sample private packages, and the loopback Git host and package index that serve them."""
