"""Drills: a real server under fire, its promises counted."""
