"""What the work on many files came to, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from gateway.cli.shared import print_table
from gateway.model import Report

MOST_RULES = 10


class Summary:
    """How many sources had which outcome, and how many broke each rule; `mendable` ones can be converted.

    `order` is that of the outcomes; the first is told of even where there were none.
    """

    def __init__(self, order: Iterable[str], noun: str = "files") -> None:
        self._order = tuple(order)
        self._noun = noun
        self._outcomes: Counter[str] = Counter()
        self._rules: Counter[str] = Counter()
        self.mendable = 0

    @property
    def sources(self) -> int:
        """Return how many sources there were."""
        return self._outcomes.total()

    def __getitem__(self, outcome: str) -> int:
        return self._outcomes[outcome]

    def add(self, outcome: str, report: Report | None = None) -> None:
        """Count one source in."""
        self._outcomes[outcome] += 1
        self._rules.update({finding.rule for finding in report.findings} if report else ())
        self.mendable += bool(report and report.recipe and not report.valid)

    def show(self) -> None:
        """Print the outcomes, and the rules that were broken most often, on stderr."""
        rows = [(each, self[each]) for each in self._order if self[each] or each == self._order[0]]
        print_table(("outcome", self._noun), rows, err=True)
        if self._rules:
            # Of equally frequent ones in the order of the alphabet, the same for every run.
            often = sorted(self._rules.items(), key=lambda item: (-item[1], item[0]))
            print_table(("rule", self._noun), often[:MOST_RULES], err=True)
