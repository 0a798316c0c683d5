"""What a check of many files came to, for people."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from gateway.cli.shared import print_table
from gateway.model import Report

MOST_RULES = 10


class Outcome(StrEnum):
    """What a check says of one source."""

    VALID = "valid"
    WARNED = "valid with warnings"
    NOT_VALID = "not valid"
    UNREADABLE = "unreadable"


class Summary:
    """The outcomes of all sources, and how many sources broke each rule."""

    def __init__(self) -> None:
        self._outcomes: Counter[Outcome] = Counter()
        self._rules: Counter[str] = Counter()

    @property
    def sources(self) -> int:
        """Return how many sources there were."""
        return self._outcomes.total()

    def add(self, outcome: Outcome, report: Report | None) -> None:
        """Count one source in."""
        self._outcomes[outcome] += 1
        self._rules.update({finding.rule for finding in report.findings} if report else ())

    def show(self) -> None:
        """Print the outcomes, and the rules that were broken most often, on stderr."""
        print_table(("outcome", "files"), [(each, self._outcomes[each]) for each in Outcome], err=True)
        if self._rules:
            # Of equally frequent ones in the order of the alphabet, the same for every run.
            often = sorted(self._rules.items(), key=lambda item: (-item[1], item[0]))
            print_table(("rule", "files"), often[:MOST_RULES], err=True)
