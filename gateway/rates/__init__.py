"""How often somebody may do something, counted by all worker processes of one machine together."""

from gateway.rates.limiter import OFF, RateLimits

__all__ = ["OFF", "RateLimits"]
