"""Datasets taken together: collections, and what is asked of them. Pure values; no SQL and no HTTP."""
