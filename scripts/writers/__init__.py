"""Small files by the writers in the field, made anew by `scripts/make_writers.py`."""
