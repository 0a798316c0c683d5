import pytest

from gateway.errors import SettingsError
from gateway.services import open_services, secret_keys
from gateway.settings import RootSettings, Settings


@pytest.fixture
def settings(tmp_path):
    root = {"data": RootSettings(uri=f"file:{tmp_path}")}
    return Settings(state_dir=tmp_path / "state", roots=root, secret_keys=(), _env_file=None)


def test_the_gateways_own_key_is_made_once_and_closed_to_others(settings):
    for _ in range(2):
        open_services(settings).close()
    (key,) = settings.state_dir.glob("*secret.key*")
    assert key.stat().st_mode & 0o777 == 0o600
    first = key.read_text()
    open_services(settings).close()
    assert key.read_text() == first
    assert len(first.strip()) >= 32


def test_an_own_key_is_rotated_as_configured_ones_are(settings):
    old = secret_keys(settings)
    path = settings.state_dir / "secret.key"
    path.write_text(f"{'n' * 31}ew, {path.read_text()}")
    assert secret_keys(settings) == [b"n" * 31 + b"ew", *old]


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644])
def test_an_own_key_that_everybody_may_read_or_write_stops_the_start_and_is_not_told(settings, mode):
    open_services(settings).close()
    key = settings.state_dir / "secret.key"
    key.chmod(mode)
    with pytest.raises(SettingsError, match="open to every user") as refused:
        open_services(settings).close()
    assert key.read_text().strip() not in str(refused.value)


def test_state_that_names_people_is_closed_to_others(settings):
    open_services(settings).close()
    assert settings.state_dir.stat().st_mode & 0o077 == 0
    assert (settings.state_dir / "gateway.db").stat().st_mode & 0o077 == 0
