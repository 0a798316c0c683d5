"""Files that are judged anew deeper than usual, behind the answers and in a process of their own."""

from __future__ import annotations

from gateway.deep.judgements import DeepJudgements, DeepRules

__all__ = ["DeepJudgements", "DeepRules"]
