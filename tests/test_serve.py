"""What the server says before it starts; the server itself runs in tests/e2e."""

import pytest

from gateway import serve
from gateway.errors import SettingsError
from gateway.settings import Settings


@pytest.fixture
def unstarted(monkeypatch, tmp_path):
    """Return a function that begins to serve with so many processes and an SQLite of this age, and stops there."""

    def refuse(_):
        raise SettingsError("no start")

    def begin(processes, old):
        monkeypatch.setattr(serve, "old_library", lambda: old)
        monkeypatch.setattr(serve, "check_start", refuse)
        monkeypatch.setattr(serve.logs, "configure", lambda level: None)
        with pytest.raises(SettingsError, match="no start"):
            serve.serve(Settings(state_dir=tmp_path, processes=processes, _env_file=None))

    return begin


def test_an_old_sqlite_under_several_processes_is_named_once(unstarted, caplog):
    unstarted(2, "3.40.1")
    (told,) = [record for record in caplog.records if "SQLite" in record.getMessage()]
    assert told.levelname == "WARNING"
    assert "3.40.1" in told.getMessage()
    assert "WAL-reset bug" in told.getMessage()


@pytest.mark.parametrize(("processes", "old"), [(1, "3.40.1"), (2, None)])
def test_one_process_or_a_sound_sqlite_is_not_warned_of(unstarted, caplog, processes, old):
    unstarted(processes, old)
    assert [text for text in caplog.messages if "SQLite" in text] == []
