from gateway.cli.summary import MOST_RULES, Summary
from gateway.model import Finding, Report

WORDS = ("good", "bad", "gone")


def lines(capsys):
    told = capsys.readouterr()
    assert told.out == ""
    return [line.rsplit(maxsplit=1) for line in told.err.splitlines() if line]


def test_each_rule_counts_the_files_that_break_it(capsys):
    summary = Summary(WORDS)
    summary.add("bad", Report("blocks", (Finding("b", ""), Finding("b", ""), Finding("a", ""))))
    summary.add("bad", Report("blocks", (Finding("b", ""),)))
    summary.add("gone")
    assert (summary.sources, summary["bad"]) == (3, 2)
    summary.show()
    assert lines(capsys)[-2:] == [["b", "2"], ["a", "1"]]


def test_only_the_most_frequent_rules_are_told_in_an_order_that_stays(capsys):
    summary = Summary(WORDS)
    for number in reversed(range(MOST_RULES + 5)):
        summary.add("bad", Report("blocks", (Finding(f"rule-{number:02}", ""),)))
    summary.show()
    assert [rule for rule, _ in lines(capsys)[-MOST_RULES:]] == [f"rule-{n:02}" for n in range(MOST_RULES)]


def test_outcomes_stand_in_their_order_the_first_always_and_others_where_there_are_some(capsys):
    summary = Summary(WORDS, "things")
    summary.add("gone")
    summary.add("gone")
    summary.show()
    assert lines(capsys) == [["outcome", "things"], ["good", "0"], ["gone", "2"]]


def test_what_a_conversion_would_mend_is_counted():
    summary = Summary(WORDS)
    bad = (Finding("b", ""),)
    for report in (Report("blocks", bad, ("gdal_translate",)), Report("blocks", bad), Report("blocks"), None):
        summary.add("bad", report)
    assert summary.mendable == 1
