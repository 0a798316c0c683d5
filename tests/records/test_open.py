import pytest

from gateway.errors import SettingsError
from gateway.records import AuditQuery, open_records, sqlite_url
from tests.records.conftest import act


@pytest.mark.parametrize("name", ["plain.db", "with space and % and ?#.db", "Zürich.db"])
def test_a_file_has_a_url(tmp_path, name):
    written = open_records(sqlite_url(tmp_path / name))
    written.append_audit([act()])
    written.close()
    read = open_records(tmp_path / name, read_only=True)
    assert len(list(read.audit_rows(AuditQuery()))) == 1
    read.close()


def test_a_relative_path_counts_from_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    open_records("sqlite:///here.db").close()
    assert (tmp_path / "here.db").exists()


@pytest.mark.parametrize("url", ["mysql://host/name", "gateway.db", "", "sqlite:here.db", "sqlite://here.db"])
def test_what_names_no_database_is_refused_with_what_there_is(url):
    with pytest.raises(SettingsError, match="sqlite"):
        open_records(url)
