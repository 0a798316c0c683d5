import re
from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.handlers.tiles import SLOW_COST
from gateway.settings import Settings, load_settings, read_secret, unknown_settings
from gateway.settings.forms import DEAREST_ANSWER

DOCS = Path(__file__).parent.parent / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No setting of the machine and no .env of the checkout."""
    import os

    for name in list(os.environ):
        if name.startswith("GATEWAY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_networks_come_comma_separated_from_the_environment(monkeypatch):
    monkeypatch.setenv("GATEWAY_METRICS_NETWORKS", "10.0.0.0/8, ::1")
    assert load_settings().metrics_networks == ("10.0.0.0/8", "::1")
    monkeypatch.setenv("GATEWAY_METRICS_NETWORKS", "here")
    with pytest.raises(SettingsError, match="metrics_networks"):
        load_settings()


@pytest.mark.parametrize(("value", "kept"), [("60/minute", "60/minute"), (" 5/HOUR ", "5/hour"), ("off", "off")])
def test_a_rate_is_so_many_in_so_long(monkeypatch, value, kept):
    monkeypatch.setenv("GATEWAY_MINT_RATE", value)
    assert load_settings().mint_rate == kept


@pytest.mark.parametrize("value", ["", "60", "0/minute", "60/fortnight", "-1/minute", "60/minute;5/second", "on"])
def test_what_is_no_rate_stops_the_start(monkeypatch, value):
    monkeypatch.setenv("GATEWAY_TILE_RATE", value)
    with pytest.raises(SettingsError, match="tile_rate"):
        load_settings()


@pytest.mark.parametrize("value", ["10/second", "15/day", "1/minute"])
def test_a_rate_of_tiles_that_no_answer_could_meet_stops_the_start(monkeypatch, value):
    monkeypatch.setenv("GATEWAY_TILE_RATE", value)
    with pytest.raises(SettingsError, match="at least 16"):
        load_settings()
    monkeypatch.setenv("GATEWAY_TILE_RATE", "16/minute")
    assert load_settings().tile_rate == "16/minute"
    assert DEAREST_ANSWER == SLOW_COST


@pytest.mark.parametrize(
    "value",
    [
        "https://tiles.example.org/{z}/{x}.png",
        "https://tiles.example.org/0/0/0.png",
        "ftp://tiles.example.org/{z}/{x}/{y}",
        "//tiles.example.org/{z}/{x}/{y}",
        "https://ana@tiles.example.org/{z}/{x}/{y}",
        "https://tiles.example.org; script-src */{z}/{x}/{y}",
        "https://{z}.example.org:port/{x}/{y}",
        "https://{z}.example.org/{x}/{y}",
        "javascript:{c-a}{z}{x}{y}",
        "https://tiles.example.org/{z}/{x}/{y}#a",
    ],
)
def test_what_is_no_template_of_tiles_stops_the_start(monkeypatch, value):
    monkeypatch.setenv("GATEWAY_BASEMAP_URL", value)
    with pytest.raises(SettingsError, match="basemap_url"):
        load_settings()


def test_flags_beat_the_environment_beats_dotenv_beats_the_file_beats_the_default(tmp_path, monkeypatch):
    assert load_settings().port == 8080
    config = tmp_path / "gateway.toml"
    config.write_text("port = 1\n")
    assert load_settings(config=str(config)).port == 1
    monkeypatch.setenv("GATEWAY_CONFIG", str(config))
    assert load_settings().port == 1
    (tmp_path / ".env").write_text("GATEWAY_PORT=2\nUNRELATED=x\n")
    assert load_settings().port == 2
    monkeypatch.setenv("GATEWAY_PORT", "3")
    assert load_settings().port == 3
    assert load_settings({"port": 4, "host": None}).port == 4


def test_roots_come_as_tables_or_as_json(tmp_path, monkeypatch):
    assert load_settings().roots["data"].uri == "file:data"
    config = tmp_path / "gateway.toml"
    config.write_text('[roots.archive]\nuri = "file:/srv/rasters"\n')
    assert load_settings(config=str(config)).roots["archive"].uri == "file:/srv/rasters"
    monkeypatch.setenv("GATEWAY_ROOTS", '{"b": {"uri": "file:/b"}}')
    assert load_settings().roots["b"].uri == "file:/b"


def test_issuer_and_audience_belong_together(monkeypatch):
    for name, value in (("ISSUER", "https://login.example"), ("AUDIENCE", "maps")):
        monkeypatch.setenv(f"GATEWAY_OIDC_{name}", value)
        if name == "ISSUER":
            with pytest.raises(SettingsError, match="belong together"):
                load_settings()
    assert load_settings().oidc_issuer == "https://login.example"
    monkeypatch.delenv("GATEWAY_OIDC_ISSUER")
    monkeypatch.delenv("GATEWAY_OIDC_AUDIENCE")
    monkeypatch.setenv("GATEWAY_OIDC_JWKS_URL", "https://login.example/keys")
    with pytest.raises(SettingsError, match="needs oidc_issuer"):
        load_settings()


def test_a_message_names_the_setting_and_nothing_of_how_it_is_read(monkeypatch):
    monkeypatch.setenv("GATEWAY_ROOTS", '{"a": "hidden')
    with pytest.raises(SettingsError, match=r"^setting roots: is no JSON$"):
        load_settings()
    monkeypatch.delenv("GATEWAY_ROOTS")
    monkeypatch.setenv("GATEWAY_OIDC_ISSUER", "https://login.example")
    with pytest.raises(SettingsError, match=r"^oidc_issuer and oidc_audience belong together"):
        load_settings()


def test_lists_are_comma_separated(monkeypatch):
    monkeypatch.setenv("GATEWAY_CORS_ORIGINS", "https://a.example, https://b.example")
    assert load_settings().cors_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "x"), ("PORT", "70000"), ("PREFIX", "api?"), ("PUBLIC_URL", "maps.example"), ("ROOTS", "{"),
     ("ROOTS", '{"a": {"uri": "ftp:/x"}}'), ("ROOTS", '{"a b": {"uri": "file:/x"}}'), ("TRUSTED_PROXIES", "nonsense"),
     ("ROOTS", '{"a": {"uri": "file:/x", "colour": "red"}}'), ("LOG_LEVEL", "LOUD"), ("DOWNLOAD_TOKEN_SECONDS", "0"),
     ("OIDC_ISSUER", "login.example"), ("OIDC_JWKS_URL", "file:/etc/passwd")],
)  # fmt: skip
def test_a_bad_setting_is_one_line_that_names_it(monkeypatch, name, value):
    monkeypatch.setenv(f"GATEWAY_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert name.lower() in caught.value.detail
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize("name", ["tls_certificate", "tls_key"])
def test_a_certificate_without_its_key_and_a_key_without_its_certificate_stop_the_start(name):
    with pytest.raises(SettingsError, match="tls_certificate and tls_key belong together"):
        load_settings({name: "some.pem"})


def test_unknown_keys_and_broken_files_stop_the_start(tmp_path):
    config = tmp_path / "gateway.toml"
    for text in ("prot = 1\n", "port = = 1\n"):
        config.write_text(text)
        with pytest.raises(SettingsError, match=re.escape(str(config))):
            load_settings(config=str(config))
    with pytest.raises(SettingsError):
        load_settings(config=str(tmp_path / "missing.toml"))


def test_secrets_come_from_a_file_that_is_closed_to_others(tmp_path, monkeypatch):
    secret = tmp_path / "keys"
    secret.write_text("a" * 20 + "b" * 20 + "," + "c" * 20 + "d" * 20 + "\n")
    secret.chmod(0o640)
    monkeypatch.setenv("GATEWAY_SECRET_KEYS_FILE", str(secret))
    assert load_settings().secret_keys == ("a" * 20 + "b" * 20, "c" * 20 + "d" * 20)
    secret.chmod(0o644)
    with pytest.raises(SettingsError, match="open to every user"):
        load_settings()
    with pytest.raises(SettingsError, match="cannot be read"):
        read_secret(tmp_path / "missing")


def test_secrets_are_not_in_the_repr(monkeypatch):
    monkeypatch.setenv("GATEWAY_SECRET_KEYS", "very-secret-" * 4)
    assert "very-secret" not in repr(load_settings())


@pytest.mark.parametrize(
    ("name", "url", "bad"),
    [
        ("DATABASE_URL", "postgresql://user:hidden@host/name", "mysql://user:hidden@host/name"),
        ("DATABASE_OWNER_URL", "postgresql://user:hidden@host/name", "mysql://user:hidden@host/name"),
        ("VALKEY_URL", "valkeys://user:hidden@host:6380/1", "mysql://user:hidden@host/name"),
        ("VALKEY_URL", "unix://:hidden@/run/valkey.sock", "unix://:hidden@"),
        ("VALKEY_URL", "redis://host", "redis://:hid/den@host:6379/0"),
        ("VALKEY_URL", "rediss://host?ssl_ca_certs=/ca.pem", "valkey://:hidden@host/name"),
    ],
)
def test_the_url_of_a_server_is_a_secret(tmp_path, monkeypatch, name, url, bad):
    file = tmp_path / "url"
    file.write_text(f"{url}\n")
    file.chmod(0o600)
    monkeypatch.setenv(f"GATEWAY_{name}_FILE", str(file))
    settings = load_settings()
    assert getattr(settings, name.lower()) == url
    assert "hidden" not in repr(settings)
    monkeypatch.delenv(f"GATEWAY_{name}_FILE")
    monkeypatch.setenv(f"GATEWAY_{name}", bad)
    with pytest.raises(SettingsError, match=name.lower()) as caught:
        load_settings()
    assert "hid" not in str(caught.value)


def test_the_guide_names_every_setting_with_its_description():
    text = DOCS.read_text()
    for name, field in Settings.model_fields.items():
        (row,) = re.findall(rf"^\| `{name.upper()}` \|.*$", text, re.MULTILINE)
        assert field.description
        assert field.description in row


def test_the_guide_names_no_setting_that_is_not_there():
    named = set(re.findall(r"^\| `([A-Z_]+)` \|", DOCS.read_text(), re.MULTILINE))
    assert named == {name.upper() for name in Settings.model_fields}


def test_misspelt_variables_are_found():
    given = {
        "GATEWAY_PORT": "1",
        "GATEWAY_CONFIG": "x",
        "GATEWAY_SECRET_KEYS_FILE": "x",
        "GATEWAY_PROT": "1",
        "HOME": "/",
    }
    assert unknown_settings(given) == ["GATEWAY_PROT"]


@pytest.mark.parametrize(("text", "origin"), [
    ("https://a.example", "https://a.example"), ("https://A.Example:443", "https://a.example"),
    ("http://a.example:8080", "http://a.example:8080"), ("http://[::1]:80", "http://[::1]"), ("*", "*"),
])  # fmt: skip
def test_origins_are_taken_as_browsers_send_them(text, origin):
    assert Settings(cors_origins=(text,), _env_file=None).cors_origins == (origin,)


@pytest.mark.parametrize("text", [
    "https://a.example/", "https://a.example/map", "a.example", "https://", "ftp://a.example", "https://me@a.example",
    "https://a.example?x", "https://a.example:x", "https://*.example/", "null",
])  # fmt: skip
def test_what_is_no_bare_origin_is_refused(text):
    with pytest.raises(ValueError, match="without a path"):
        Settings(cors_origins=(text,), _env_file=None)


KEYS = "a" * 40


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"{KEYS}\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("place", ["environment", ".env", "TOML"])
def test_the_file_of_the_keys_may_be_named_in_every_place(tmp_path, monkeypatch, key_file, place):
    monkeypatch.chdir(tmp_path)
    config = None
    if place == "environment":
        monkeypatch.setenv("GATEWAY_SECRET_KEYS_FILE", str(key_file))
    elif place == ".env":
        (tmp_path / ".env").write_text(f"GATEWAY_SECRET_KEYS_FILE={key_file}\n")
    else:
        config = str(tmp_path / "g.toml")
        (tmp_path / "g.toml").write_text(f'secret_keys_file = "{key_file}"\n')
    assert load_settings(config=config).secret_keys == (KEYS,)
    key_file.chmod(0o644)
    with pytest.raises(SettingsError, match="open to every user"):
        load_settings(config=config)


def test_keys_of_a_stronger_place_win_over_a_file_of_a_weaker_one(tmp_path, monkeypatch, key_file):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"GATEWAY_SECRET_KEYS_FILE={key_file}\n")
    monkeypatch.setenv("GATEWAY_SECRET_KEYS", "b" * 40)
    assert load_settings().secret_keys == ("b" * 40,)


@pytest.mark.parametrize(
    "text",
    ['secret_keys = ["' + KEYS + '"]', '[roots.a]\nuri = "s3://b/c"\naccess_key_id = "i"\nsecret_access_key = "k"'],
)
def test_a_settings_file_with_secrets_is_closed_to_others(tmp_path, text):
    config = tmp_path / "g.toml"
    config.write_text(text)
    config.chmod(0o640)
    assert load_settings(config=str(config))
    config.chmod(0o644)
    with pytest.raises(SettingsError, match=r"holds secret_.* and is open to every user"):
        load_settings(config=str(config))


@pytest.mark.parametrize(
    "text",
    [
        f"GATEWAY_SECRET_KEYS={KEYS}",
        f"gateway_secret_keys={KEYS}",
        'GATEWAY_ROOTS={"a": {"uri": "s3://b/c", "access_key_id": "i", "secret_access_key": "k"}}',
    ],
)
def test_a_file_dot_env_with_secrets_is_closed_to_others(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / ".env"
    path.write_text(text)
    path.chmod(0o640)
    assert load_settings()
    path.chmod(0o644)
    with pytest.raises(SettingsError, match=r"\.env holds secret_.* and is open to every user"):
        load_settings()
    path.write_text("GATEWAY_PORT=1\n")
    assert load_settings().port == 1


def test_misspelt_settings_of_the_file_dot_env_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert unknown_settings({}) == []
    (tmp_path / ".env").write_text("GATEWAY_PROT=1\nGATEWAY_PORT=2\nOTHER=3\ngateway_secret_keys_file=x\n")
    assert unknown_settings({"GATEWAY_HOSTS": "x"}) == ["GATEWAY_HOSTS", "GATEWAY_PROT"]


@pytest.mark.parametrize("kind", ["folder", "closed", "bytes", ".env"])
def test_a_settings_file_that_cannot_be_read_is_told(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "g.toml"
    if kind == "folder":
        config.mkdir()
    elif kind == "bytes":
        config.write_bytes(b"\xff\xfe")
    else:
        config.write_text("port = 1\n")
        name = ".env" if kind == ".env" else "g.toml"
        (tmp_path / name).touch()
        opened = Path.open

        def refuse(path, *rest, **options):
            if Path(path).name == name:
                raise PermissionError(13, "Permission denied", str(path))
            return opened(path, *rest, **options)

        monkeypatch.setattr(Path, "open", refuse)
        monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(SettingsError, match=r"the settings file .*(cannot be read|no UTF-8)"):
        load_settings(config=str(config))
