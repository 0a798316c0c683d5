"""Open rasters: handles, bytes of far ones, and values with what is valid of them."""
