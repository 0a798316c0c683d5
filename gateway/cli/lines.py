"""Lines about files for people: one for each file, with its name in it, that fits the terminal."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.cells import cell_len, set_cell_size

from gateway.cli.shared import GAP, end_of, is_terminal, printable
from gateway.cog.rules import RULES
from gateway.model import Finding, Report, Severity
from gateway.shell import operands
from gateway.sources import Hidden

# No rule and no outcome is longer, so that names stand below each other.
WORD_CELLS = max(map(len, RULES))
# So much of a reason is shown on a terminal before a long name is cut.
REASON_CELLS = 24
NAME_CELLS = 12
# What tells an id from the others of one catalogue, nearly always.
SHORT_ID = 8
# More sources than these are not repeated in what can be done.
MOST_NAMED = 3
PATTERN = "*?["

verbose = click.option("-v", "--verbose", "verbosity", count=True,
                       help="Tell of good files as well; -vv: and the command that mends each bad one.")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Manner:
    """How outcomes are told: as JSON, or to people, and those of a file that was named `alone` in full.

    From a `verbosity` of 1 on, files that are as they should be get their line too, and all findings; from 2 on also
    the command that mends a file.
    """

    as_json: bool = False
    alone: bool = False
    verbosity: int = 0


def is_alone(sources: Sequence[str]) -> bool:
    """Return whether the arguments are one file, and no folder, pattern, list or prefix of a bucket."""
    if len(sources) != 1 or sources[0] in ("-", ""):
        return list(sources) == [""]
    (name,) = sources
    if name.startswith("s3://"):
        return Path(name).suffix != ""
    return not os.path.isdir(name) and (os.path.lexists(name) or not set(PATTERN) & set(name))  # noqa: PTH112


def tell(
    word: str, name: str, reason: str = "", *, about: str = "", colour: str | None = None, err: bool = False
) -> None:
    """Print a line about one file: a word, what it is `about`, its name, and why.

    A terminal gets as much as it has room for, of the name its end; a file or pipe gets all of it.
    """
    name, reason, gap = printable(name), printable(reason), " " * GAP
    head = f"{word:<{WORD_CELLS}}{gap}" + (f"{about}{gap}" if about else "")
    # Asked once: of a list of a million names each question to the system counts.
    terminal = is_terminal(err=err)
    if terminal:
        name, reason = _fitted(name, reason, shutil.get_terminal_size().columns - len(head))
    if colour is not None and terminal and is_coloured(err=err):
        head = click.style(word, fg=colour) + head[len(word) :]
    click.echo(f"{head}{name}{gap}{reason}".rstrip(), err=err, color=terminal)


def is_coloured(*, err: bool = False) -> bool:
    """Return whether a stream takes colours: a terminal whose owner has not said no (https://no-color.org)."""
    return is_terminal(err=err) and not os.environ.get("NO_COLOR")


def tell_findings(name: str, report: Report, manner: Manner, *, strict: bool = False) -> None:
    """Print why a file is bad, or warned of: its first finding on one line on stderr; all of them when verbose."""
    errors, warnings = report.errors, report.warnings
    found = (*errors, *warnings) if strict or manner.verbosity or not errors else errors
    shown = found if manner.verbosity else found[:1]
    for finding in shown:
        more = f" (and {len(found) - 1} more)" if len(shown) < len(found) else ""
        reason = reason_of(finding, whole=bool(manner.verbosity)) + more
        tell(finding.rule, name, reason, colour=colour_of(finding), err=True)
    if manner.verbosity > 1 and (command := report.mend(name)):
        # Whole on a terminal as well: it is there to be pasted.
        click.echo(" " * (WORD_CELLS + GAP) + command, err=True)


def reason_of(finding: Finding, *, whole: bool) -> str:
    """Return what a finding says as the end of a line: all of it, or its first sentence."""
    prefix = "warning: " if finding.severity is Severity.WARNING else ""
    return prefix + (finding.message if whole else finding.message.partition(". ")[0]).rstrip(".")


def colour_of(finding: Finding) -> str:
    """Return the colour of a finding."""
    return "yellow" if finding.severity is Severity.WARNING else "red"


def advise(text: str) -> None:
    """Print on stderr what can be done, once, below a summary."""
    click.echo(printable(text), err=True)


def advise_hidden(hidden: Hidden) -> None:
    """Print how many hidden names of folders were passed over; nothing where there were none."""
    if hidden.count:
        advise(hidden.told())


def advise_mending(count: int, sources: Sequence[str], verbosity: int) -> None:
    """Print how files that can be mended are mended; nothing where there are none."""
    if count:
        named = operands(sources) if 0 < len(sources) <= MOST_NAMED and "-" not in sources else "SOURCE..."
        more = "" if verbosity > 1 else ", or -vv for each command"
        advise(f"{count} can be mended: cog-gateway ingest --convert {named}{more}")


def _fitted(name: str, reason: str, room: int) -> tuple[str, str]:
    """Return both cut to `room` cells with their gap, the name at its beginning and the reason at its end."""
    for_reason = min(cell_len(reason), REASON_CELLS)
    for_name = max(room - for_reason - (GAP if reason else 0), NAME_CELLS)
    name = end_of(name, for_name)
    left = room - cell_len(name) - GAP
    if cell_len(reason) > left:
        reason = set_cell_size(reason, max(left - 1, 0)).rstrip() + "…"
    return name, reason
