"""Gateways of several nodes on loopback, with all that they share: to try, for tests and for drills."""
