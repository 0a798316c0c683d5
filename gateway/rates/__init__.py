"""How often somebody may do something, counted by all worker processes of one machine, or by all nodes together."""

from gateway.rates.counted import PATIENCE_SECONDS, Counted
from gateway.rates.limiter import OFF, RateLimits, identity

__all__ = ["OFF", "PATIENCE_SECONDS", "Counted", "RateLimits", "identity"]
