import itertools

from rich.text import Text

from gateway.cli.progress import ERASE_LINE, MOST_WAITING, PACE, ReadAhead, Underway, with_progress
from tests.cli.terminal import as_terminal


def clock():
    """Return a clock that goes on by a second with each look."""
    return itertools.count().__next__


def test_a_terminal_gets_count_rate_and_time_to_go_on_stderr_and_every_item_comes(monkeypatch):
    terminal = as_terminal(monkeypatch, "stderr", columns=80)
    assert list(with_progress("abc", lambda: 3, "checking", clock=clock())) == ["a", "b", "c"]
    assert "checking" in terminal.getvalue()
    assert "0/3" in terminal.getvalue()
    assert "2/3" in terminal.getvalue()
    assert "/s" in terminal.getvalue()


def test_the_line_is_erased_while_the_caller_prints_and_at_the_end(monkeypatch):
    terminal = as_terminal(monkeypatch, "stderr")
    for _ in with_progress("abc", lambda: 3, "checking", clock=clock()):
        assert terminal.getvalue().endswith(ERASE_LINE)
    assert terminal.getvalue().endswith(ERASE_LINE)
    assert "\n" not in terminal.getvalue()


def test_the_line_is_erased_when_the_caller_stops_early(monkeypatch):
    terminal = as_terminal(monkeypatch, "stderr")
    items = with_progress("abc", lambda: 3, "checking", clock=clock())
    next(items)
    next(items)
    items.close()
    assert terminal.getvalue().endswith(ERASE_LINE)


def test_it_is_drawn_no_oftener_than_anybody_can_see(monkeypatch):
    terminal = as_terminal(monkeypatch, "stderr")
    assert len(list(with_progress(range(9), lambda: 9, "checking", clock=lambda: 0.0))) == 9
    assert "0/9" in terminal.getvalue()
    assert "1/9" not in terminal.getvalue()


def test_a_number_that_is_not_known_yet_is_no_error(monkeypatch):
    terminal = as_terminal(monkeypatch, "stderr")
    assert list(with_progress("abc", lambda: None, "checking", clock=clock())) == ["a", "b", "c"]
    assert "2/?" in terminal.getvalue()


def shown(terminal):
    """Return the lines that were shown one after the other."""
    return terminal.getvalue().split(ERASE_LINE)


def test_one_process_tells_which_file_is_in_work(monkeypatch):
    terminal = as_terminal(monkeypatch, "stderr", columns=80)
    underway = Underway(["a.tif", "b.tif"], str, str)
    assert list(with_progress(underway, lambda: 2, "checking", underway, clock())) == ["a.tif", "b.tif"]
    assert [line.split()[-1] for line in shown(terminal) if line.endswith(".tif")] == ["a.tif", "b.tif"]


def test_several_processes_are_started_then_the_oldest_file_that_is_not_done_is_told(monkeypatch):
    terminal = as_terminal(monkeypatch, "stderr", columns=80)
    underway = Underway(["a.tif", "b.tif", "c.tif"], str, str, jobs=2)
    handed = list(underway)
    results = with_progress(["b.tif", "a.tif", "c.tif"], lambda: 3, "checking", underway, clock())
    assert next(results) in handed
    assert shown(terminal)[1].endswith("starting 2 processes")
    next(results)
    assert shown(terminal)[-2].endswith(" a.tif")
    next(results)
    assert shown(terminal)[-2].endswith(" c.tif")


def test_a_long_name_and_one_that_a_terminal_would_obey_keep_the_line_one(monkeypatch):
    terminal = as_terminal(monkeypatch, "stderr", columns=80)
    name = "\x1b[2J" + "folder/" * 30 + "last.tif"
    underway = Underway([name], str, str)
    assert list(with_progress(underway, lambda: 1, "checking", underway, clock())) == [name]
    assert all(len(Text.from_ansi(line).plain) <= 80 for line in shown(terminal))
    assert any(line.endswith("last.tif") for line in shown(terminal))
    assert "\x1b[2J" not in terminal.getvalue()


def test_a_file_gets_no_progress(capsys):
    assert list(with_progress("abc", lambda: 3, "checking")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_items_looked_up_ahead_are_counted_before_they_are_taken():
    ahead = ReadAhead(range(PACE + 5))
    assert ahead.total is None
    assert next(ahead) == 0
    assert next(ahead) == 1
    assert ahead.total == PACE + 5
    assert [*ahead] == list(range(2, PACE + 5))
    assert ahead.total == PACE + 5


def test_without_a_pace_nothing_is_looked_up_ahead():
    taken = []
    ahead = ReadAhead((taken.append(n) or n for n in range(9)), pace=0)
    assert (next(ahead), taken) == (0, [0])
    assert ahead.total is None
    assert [*ahead] == list(range(1, 9))


def test_no_more_than_so_many_wait():
    taken = []
    ahead = ReadAhead((taken.append(n) or n for n in itertools.count()), pace=MOST_WAITING + 10)
    assert [next(ahead), next(ahead)] == [0, 1]
    assert len(taken) == MOST_WAITING + 1
