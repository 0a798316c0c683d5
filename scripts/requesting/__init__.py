"""Random requests over odd rasters: what they are asked of, how they are made up, and who asks."""
