"""The one way to everything that decodes: tasks in, pictures and facts out, in this process or in another."""

from __future__ import annotations

from gateway.studio.base import Studio
from gateway.studio.tasks import Source, Task, source_of

__all__ = ["Source", "Studio", "Task", "source_of"]
