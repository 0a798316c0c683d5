"""The API's own description, OpenAPI 3.1, made from the routes, their handlers and the settings."""

from gateway.apidocs.document import document

__all__ = ["document"]
