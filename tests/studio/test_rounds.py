"""Tasks over several datasets: how many files are under way, and which of them ends painters."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest

from gateway.colour.model import LayerStyle, PixelSelection, Style
from gateway.errors import CannotBeDrawn, Unavailable
from gateway.studio import forks
from gateway.studio.child import Job
from gateway.studio.pictures import Pictures
from gateway.studio.rounds import Round, Rounds
from gateway.studio.tally import slow_after
from gateway.studio.tasks import Task
from tests.patience import until
from tests.studio.conftest import processes
from tests.tiles.rasters import dataset


def test_a_task_over_many_files_is_not_slow_as_soon_as_others():
    few, many = (Job(Task("layer_tile", ("source",) * count), (), Future()) for count in (8, 400))
    assert slow_after(few, 2.0) == 2.0
    assert slow_after(many, 2.0) == 16.0


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    """Rounds over three datasets, whose painters end where a task says so."""
    folder = tmp_path_factory.mktemp("rounds")
    (folder / "a.tif").write_bytes(b"a")
    storages, record = dataset(folder, "a.tif")
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as threads:
        patch.setattr(forks, "PROGRAM", "tests.studio.painter")
        with processes(folder) as bench:
            pictures = Pictures(bench.studio, storages, 1 << 20)
            yield (
                Rounds(pictures, threads.submit),
                [replace(record, id=name) for name in ("one", "bad", "two")],
                bench,
            )
            pictures.close()


def test_pictures_of_a_crowd_that_end_painters_are_blamed_on_no_dataset_beside_them(rounds, caplog):
    caplog.set_level(logging.CRITICAL, "gateway")
    rounds, (one, _, two), bench = rounds
    aside = bench.studio.load().set_aside

    def crowd(style, bad):
        made = Round(
            lambda sources, _: Task("crash_with", sources, (bad,), crowd=True),
            ids=("far",),
            crowd=("pictures", style),
        )
        return rounds.begin([one], made).result(120)

    with pytest.raises(Unavailable):
        crowd(LayerStyle(Style()), 1)
    with pytest.raises(CannotBeDrawn):
        crowd(LayerStyle(Style()), 1)
    assert crowd(LayerStyle(Style(), selection=PixelSelection.MEAN), 2)["used"] == []
    assert ask(rounds, [one, two], 3)["used"] == ["one", "two"]
    assert bench.studio.load().set_aside == aside


def ask(rounds, members, bad):
    return rounds.begin(members, Round(lambda sources, _: Task("crash_with", sources, (bad,)))).result(120)


def settled(rounds, members, bad):
    """Return the answer, or the refusal, once it is found out who is to blame."""
    found = []

    def asked():
        try:
            found.append(ask(rounds, members, bad))
        except CannotBeDrawn as refusal:
            found.append(refusal)
        except Unavailable:
            return False
        return True

    until(asked)
    return found[0]


def test_the_one_of_several_that_ends_painters_is_set_aside_and_no_other(rounds, caplog):
    caplog.set_level(logging.CRITICAL, "gateway")
    rounds, members, bench = rounds
    with pytest.raises(Unavailable):
        ask(rounds, members, "bad")
    assert settled(rounds, members, "bad") == {"used": ["one", "two"], "left_out": ["bad"]}
    assert bench.studio.load().set_aside == 1


def test_more_files_than_one_message_carries_come_all_the_same(rounds):
    rounds, (one, *_), _bench = rounds
    many = [replace(one, id=str(number)) for number in range(600)]
    assert ask(rounds, many, "none")["used"] == [member.id for member in many]
    assert ask(rounds, [one], "none")["used"] == ["one"]


def test_files_that_only_together_end_painters_are_refused_together(rounds, caplog):
    caplog.set_level(logging.CRITICAL, "gateway")
    rounds, (one, _, two), _bench = rounds
    assert isinstance(settled(rounds, [one, two], 2), CannotBeDrawn)
    assert ask(rounds, [one], 2)["used"] == ["one"]
    assert ask(rounds, [two, one], 3)["used"] == ["two", "one"]
