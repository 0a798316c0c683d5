"""Where things lie: extents, bounds in degrees, turns round the globe, and the way from one CRS to another."""
