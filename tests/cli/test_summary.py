from gateway.cli.summary import MOST_RULES, Outcome, Summary
from gateway.model import Finding, Report


def lines(capsys):
    told = capsys.readouterr()
    assert told.out == ""
    return [line.rsplit(maxsplit=1) for line in told.err.splitlines() if line]


def test_each_rule_counts_the_files_that_break_it(capsys):
    summary = Summary()
    summary.add(Outcome.NOT_VALID, Report("blocks", (Finding("b", ""), Finding("b", ""), Finding("a", ""))))
    summary.add(Outcome.NOT_VALID, Report("blocks", (Finding("b", ""),)))
    summary.add(Outcome.UNREADABLE, None)
    assert summary.sources == 3
    summary.show()
    assert lines(capsys)[-2:] == [["b", "2"], ["a", "1"]]


def test_only_the_most_frequent_rules_are_told_in_an_order_that_stays(capsys):
    summary = Summary()
    for number in reversed(range(MOST_RULES + 5)):
        summary.add(Outcome.NOT_VALID, Report("blocks", (Finding(f"rule-{number:02}", ""),)))
    summary.show()
    assert [rule for rule, _ in lines(capsys)[-MOST_RULES:]] == [f"rule-{n:02}" for n in range(MOST_RULES)]


def test_without_findings_there_is_no_table_of_rules(capsys):
    summary = Summary()
    summary.add(Outcome.VALID, Report("blocks"))
    summary.show()
    assert lines(capsys) == [
        ["outcome", "files"],
        ["valid", "1"],
        ["valid with warnings", "0"],
        ["not valid", "0"],
        ["unreadable", "0"],
    ]
