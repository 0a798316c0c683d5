"""STAC: items, collections and results of searches as documents, from frozen values alone; no SQL and no HTTP.

https://github.com/radiantearth/stac-spec/tree/v1.1.0 and https://github.com/radiantearth/stac-api-spec/tree/v1.0.0
"""
