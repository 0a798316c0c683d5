"""Overviews of collections: planned, painted, judged as every file is, put on record, and removed again."""
