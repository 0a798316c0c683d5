import re
import sys
import threading

import pytest

from gateway.cli.pulse import told_now_and_then
from gateway.cli.runs import Run
from gateway.cli.summary import Summary
from tests.patience import until


def run_of(*, is_cluster, asked):
    return Run(2, is_cluster, lambda work, items: None, lambda: asked.append(1) or 2)


def test_a_cluster_tells_now_and_then_what_is_done_and_how_fast(capsys):
    summary, asked = Summary(["good", "bad"]), []
    for outcome in ("good", "bad", "good"):
        summary.add(outcome)
    with told_now_and_then(run_of(is_cluster=True, asked=asked), summary, ["bad"], seconds=0.05):
        until(lambda: len(asked) >= 2)
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\d+ s: 3 done, 1 failed, \d+\.\d/s, 2 workers", first)
    assert re.fullmatch(r"\d+ s: 3 done, 1 failed, 0\.0/s, 2 workers", second)


@pytest.mark.parametrize(("is_cluster", "terminal"), [(False, False), (True, True)])
def test_processes_of_this_machine_and_terminals_have_no_such_lines(capsys, monkeypatch, is_cluster, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    before = threading.active_count()
    with told_now_and_then(run_of(is_cluster=is_cluster, asked=[]), Summary(["good"]), [], seconds=0.0):
        assert threading.active_count() == before
    assert capsys.readouterr().err == ""
