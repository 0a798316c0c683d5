"""What the gateway counts of itself, over all worker processes, for Prometheus."""

from gateway.metrics.board import Board, exposition
from gateway.metrics.catalogue import CONTENT_TYPE, Metrics

__all__ = ["CONTENT_TYPE", "Board", "Metrics", "exposition"]
