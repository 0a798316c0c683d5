"""A real S3 server on loopback for tests: SeaweedFS, from its wheel."""
