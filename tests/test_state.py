import subprocess
import sys

import pytest

from gateway.errors import SettingsError
from gateway.records import DatasetQuery
from gateway.settings import Settings
from gateway.state import existing_records, made_records, place_of_records, place_of_state, secret_keys

SERVER = "postgresql://user:hidden@db.example.org:5433/gateway?sslmode=require"


def settings_of(tmp_path, **values):
    return Settings(**{"state_dir": tmp_path / "state", **values}, _env_file=None)


def test_records_are_a_file_of_the_state_folder_unless_named(tmp_path):
    settings = settings_of(tmp_path)
    made_records(settings).close()
    assert place_of_records(settings) == str(tmp_path / "state" / "gateway.db")
    assert place_of_state(settings) == str(tmp_path / "state")


def test_records_in_another_file_are_made_and_found_there(tmp_path):
    settings = settings_of(tmp_path, database_url=f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(SettingsError, match="no catalogue"):
        existing_records(settings, read_only=True)
    made_records(settings).close()
    assert (tmp_path / "other.db").stat().st_mode & 0o077 == 0
    existing_records(settings, read_only=True).close()
    assert not (tmp_path / "state").exists()


def test_records_at_the_url_are_used_by_all(tmp_path, database):
    settings = settings_of(tmp_path, database_url=database, secret_keys=("k" * 40,))
    made_records(settings).close()
    records = existing_records(settings, read_only=True)
    assert records.find_datasets(DatasetQuery(None)).total == 0
    records.close()


def test_with_records_on_a_server_every_node_needs_the_same_keys(tmp_path):
    with pytest.raises(SettingsError, match="the same on all nodes") as caught:
        secret_keys(settings_of(tmp_path, database_url=SERVER))
    assert "hidden" not in str(caught.value)
    assert not (tmp_path / "state").exists()
    assert secret_keys(settings_of(tmp_path, database_url=SERVER, secret_keys=("k" * 40,))) == [b"k" * 40]


def test_a_server_is_named_without_user_and_password(tmp_path):
    assert place_of_records(settings_of(tmp_path, database_url=SERVER)) == "PostgreSQL gateway at db.example.org:5433"


IMPORTED = """
import sys
from pathlib import Path
import gateway.serve
from gateway.settings import Settings
from gateway.state import made_records
made_records(Settings(state_dir=Path(sys.argv[1]), _env_file=None)).close()
assert not [name for name in sys.modules if name.startswith("psycopg")]
"""
MISSING = """
import sys
sys.modules["psycopg"] = None
from gateway.errors import SettingsError
from gateway.records import open_records
try:
    open_records("postgresql://gateway@127.0.0.1:1/none")
except SettingsError as error:
    print(error)
"""


def test_who_has_no_records_in_postgresql_does_not_load_its_library(tmp_path):
    subprocess.run([sys.executable, "-c", IMPORTED, str(tmp_path)], check=True)


def test_without_the_extra_the_line_that_installs_it_is_told():
    done = subprocess.run([sys.executable, "-c", MISSING], check=True, capture_output=True, text=True)
    assert "pip install 'cog-gateway[postgres]'" in done.stdout
