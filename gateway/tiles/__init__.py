"""Map tiles of registered rasters: read, warped, styled and encoded."""
