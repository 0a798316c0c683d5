"""The files for operators name what there is: settings, commands, paths; and linters find nothing in them."""

import configparser
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from gateway.__main__ import COMMANDS, cli
from gateway.settings import Settings, load_settings, unknown_settings

ROOT = Path(__file__).parent.parent.parent
OPERATING = ROOT / "docs" / "operating"
UNIT = OPERATING / "cog-gateway.service"
UNITS = sorted(OPERATING.glob("*.service"))
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def sections() -> dict[str, list[tuple[str, str]]]:
    """Return the unit's sections, keys repeated as they are."""
    found, name = {}, ""
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            found[name := line.strip("[]")] = []
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[name].append((key, value))
    return found


@pytest.mark.parametrize("path", [*UNITS, OPERATING / "cog-gateway-admin", ROOT / "Dockerfile", ROOT / "compose.yaml", *sorted(OPERATING.glob("*.md"))],
                         ids=lambda path: path.name)  # fmt: skip
def test_every_setting_that_is_named_is_one(path):
    named = re.findall(r"\bGATEWAY_[A-Z_]+", path.read_text())
    assert unknown_settings(dict.fromkeys(named, "x")) == []


@pytest.mark.parametrize("page", sorted(OPERATING.glob("*.md")), ids=lambda path: path.name)
def test_every_piece_of_toml_is_read(page, tmp_path):
    for block in re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL):
        assert set(tomllib.loads(block)) <= set(Settings.model_fields)
        text = block
        secrets = {
            "secret-keys": "k" * 32,
            "database-url": "postgresql://gateway@db/gateway",
            "valkey-url": "valkey://db",
        }
        for name, secret in secrets.items():
            (tmp_path / name).write_text(secret)
            (tmp_path / name).chmod(0o600)
            text = text.replace(f"/etc/cog-gateway/{name}", str(tmp_path / name))
        (tmp_path / "gateway.toml").write_text(text)
        load_settings({}, config=str(tmp_path / "gateway.toml"))


def test_the_settings_file_that_is_installed_is_the_one_that_the_guide_shows():
    text = (OPERATING / "gateway.toml").read_text()
    assert f"```toml\n{text.partition(chr(10))[2]}```" in (OPERATING / "README.md").read_text()


GROUPS = ("audit", "collections", "datasets", "grants", "links", "tokens", "users")


@pytest.mark.parametrize("page", sorted(OPERATING.glob("*.md")), ids=lambda path: path.name)
def test_every_command_has_its_options(page):
    for line in re.findall(r"(?:^|/)cog-gateway(?:-admin)? ([a-z].*?)(?:`|$)", page.read_text(), re.MULTILINE):
        words = line.split()
        assert words[0] in COMMANDS, line
        command = words[:2] if words[0] in GROUPS else words[:1]
        shown = CliRunner().invoke(cli, [*command, "--help"])
        assert shown.exit_code == 0, line
        assert all(word in shown.output for word in words if word.startswith("--")), line


def test_the_unit_starts_what_there_is_and_gives_downloads_time_to_end():
    service = dict(sections()["Service"])
    assert service["ExecStart"].endswith("/bin/cog-gateway serve")
    assert int(service["TimeoutStopSec"]) > Settings().drain_seconds
    assert "-HUP" in service["ExecReload"]
    # configparser finds what is no unit at all.
    configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True).read(UNIT)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_the_documents_that_a_unit_names_are_there(unit):
    (page,) = re.findall("^Documentation=file:///opt/cog-gateway/share/doc/cog-gateway/(.*)$", unit.read_text(), re.M)
    assert (ROOT / "docs" / page).is_file()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("unit", [*UNITS, *sorted(OPERATING.glob("*.timer"))], ids=lambda path: path.name)
def test_systemd_reads_the_unit(tmp_path, unit):
    # A timer's service must lie beside it.
    for path in (unit, unit.with_suffix(".service")):
        text = path.read_text().replace("/opt/cog-gateway/bin/cog-gateway", sys.executable)
        (tmp_path / path.name).write_text(text)
    here = tmp_path / unit.name
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", here], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_image_is_built_from_what_there_is_and_runs_without_rights():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name
            assert name in kept, name
    assert re.search(r"^USER [1-9]", DOCKERFILE, re.MULTILINE)
    assert '["cog-gateway"]' in DOCKERFILE


def test_a_linter_finds_nothing_in_the_dockerfile():
    if (hadolint := shutil.which("hadolint", path=str(Path(sys.executable).parent))) is None:
        pytest.skip("hadolint has no wheel for this machine")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_compose_file_serves_the_roots_it_mounts(monkeypatch):
    (service,) = COMPOSE["services"].values()
    mounted = {volume.split(":")[1] for volume in service["volumes"]}
    monkeypatch.setenv("GATEWAY_ROOTS", service["environment"]["GATEWAY_ROOTS"])
    settings = load_settings({})
    for root in settings.roots.values():
        assert root.uri.removeprefix("file:") in mounted
    state = re.search(r"GATEWAY_STATE_DIR=(\S+)", DOCKERFILE)[1]
    assert state in mounted
    assert {
        name for name, _, _ in (volume.partition(":") for volume in service["volumes"]) if "/" not in name
    } == set(COMPOSE["volumes"])
    assert int(service["stop_grace_period"].removesuffix("s")) > Settings().drain_seconds
    assert service["command"][0] in COMMANDS
