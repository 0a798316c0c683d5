"""The audit log: rows of many requests become durable in one commit, before their answers leave."""

from gateway.audit.link import RecorderLink
from gateway.audit.log import AuditLog
from gateway.audit.looplog import LoopAuditLog, written_here
from gateway.audit.recorder import Recorder

__all__ = ["AuditLog", "LoopAuditLog", "Recorder", "RecorderLink", "written_here"]
