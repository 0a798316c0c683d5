"""Collections as files: a static catalogue of STAC, and stac-geoparquet, as one reader sees them."""
