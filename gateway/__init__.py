"""COG Gateway: hands out true Cloud-Optimized GeoTIFFs, under access rules and on record."""

__version__ = "0.1.0"
