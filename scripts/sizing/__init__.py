"""A large archive: made, and asked."""
