"""What is built and installed has all that the checkout has: the demo runs from the wheel alone."""

import ast
import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import threading
import urllib.request
import venv
import zipfile
from pathlib import Path
from urllib.parse import urljoin

import pytest

ROOT = Path(__file__).parent.parent
IGNORED = (".git", *(line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()))


def files(folder: Path, below: Path) -> set[str]:
    """Return the names, relative to `below`, of the files that a folder has."""
    return {str(path.relative_to(below)) for path in folder.rglob("*") if path.is_file()}


def run(*command: str | Path) -> str:
    """Return what a command prints; fails with it when the command fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Return a copy of the source, so that nothing is built beside what others import."""
    return shutil.copytree(
        ROOT, tmp_path_factory.mktemp("source") / "cog-gateway", ignore=shutil.ignore_patterns(*IGNORED)
    )


@pytest.fixture(scope="module")
def built(source, tmp_path_factory):
    """Return the paths of the wheel and of the source distribution that it was made from."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """Return a fresh environment that has the wheel, and what it requires from the environment of the tests."""
    folder = tmp_path_factory.mktemp("opt") / "cog-gateway"
    venv.create(folder, symlinks=True)
    run(sys.executable, "-m", "pip", "--python", folder / "bin" / "python",
        "install", "--quiet", "--no-index", "--no-deps", built[0])  # fmt: skip
    (packages,) = folder.glob("lib/python*/site-packages")
    # A path in a .pth file brings no .pth files of its own: the checkout that the tests import stays out.
    (packages / "requirements.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_distributions_may_be_uploaded(built):
    assert run(sys.executable, "-m", "twine", "check", "--strict", *built).count("PASSED") == 2


def test_the_wheel_has_every_file_of_the_package(built, source):
    assert files(source / "gateway", source) - set(zipfile.ZipFile(built[0]).namelist()) == set()


def test_the_source_distribution_has_every_file_of_the_checkout(built, source):
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert files(source, source) - names == set()


def test_samples_guides_and_what_the_unit_names_are_installed(installed, source):
    share = installed / "share"
    assert files(source / "data", source / "data") == files(
        share / "cog-gateway" / "data", share / "cog-gateway" / "data"
    )
    guides = share / "doc" / "cog-gateway"
    assert files(source / "docs", source / "docs") == files(guides, guides)
    unit = (source / "docs" / "operating" / "cog-gateway.service").read_text()
    named = re.findall(r"/opt/cog-gateway/(\S+)", unit)
    assert {"bin/cog-gateway", "share/doc/cog-gateway/operating/README.md"} <= set(named)
    for path in named:
        assert (installed / path).exists(), path


# What comes with an extra, and the one folder or file that may want it.
OF_EXTRAS = {
    "psycopg": "gateway/records/postgres/",
    "redis": "gateway/rates/valkey.py",
    "dask": "gateway/cli/cluster.py",
    "distributed": "gateway/cli/cluster.py",
    "pyarrow": "gateway/export/",
}


def test_every_module_that_the_package_imports_is_required_by_it(source):
    required = {name(one) for one in importlib.metadata.requires("cog-gateway") if "extra ==" not in one}
    theirs = with_theirs(required)
    homes = importlib.metadata.packages_distributions()
    for path in sorted((source / "gateway").rglob("*.py")):
        for module in imported(path) - set(sys.stdlib_module_names) - {"gateway"}:
            if module in OF_EXTRAS:
                assert str(path.relative_to(source)).startswith(OF_EXTRAS[module]), path
                continue
            assert {name(home) for home in homes[module]} & theirs, (path, module)


def name(requirement: str) -> str:
    """Return a distribution's normalised name (packaging.python.org, name normalization)."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def with_theirs(required: set[str]) -> set[str]:
    """Return those distributions and those that they require themselves, one step on: pydantic comes with its settings."""
    theirs = (one for home in required for one in importlib.metadata.requires(home) or () if "extra ==" not in one)
    return required | {name(one) for one in theirs}


def imported(path: Path) -> set[str]:
    """Return the outermost names of the modules that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    from_them = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0}
    return {module.partition(".")[0] for module in plain | from_them}


def test_the_demo_runs_from_the_wheel_alone(installed, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "PYTHON"))}
    command = [installed / "bin" / "cog-gateway", "demo", "--port", "0"]
    with subprocess.Popen(
        command, cwd=tmp_path, env={**environment, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        watchdog = threading.Timer(200, process.kill)
        watchdog.start()
        text = "".join(iter(process.stdout.readline, "Ctrl-C ends the demo and removes its state.\n"))
        try:
            look_at(re.search(r"http://127\.0\.0\.1:\d+", text)[0])
        finally:
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()
            code = process.wait(120)
            watchdog.cancel()
    assert (code, list(tmp_path.iterdir())) == (0, []), rest
    assert "Traceback" not in text + rest


def look_at(origin: str) -> None:
    """Fetch what needs files of the package: pages, the list, and a picture that a painter draws."""

    def get(path: str) -> bytes:
        with urllib.request.urlopen(origin + path, timeout=120) as answer:
            return answer.read()

    (public,) = json.loads(get("/api/datasets"))["datasets"]
    for path in ("/", "/api/docs", "/examples/leaflet.html"):
        page = get(path).decode()
        for script in re.findall(r'<script[^>]* src="([^"]+)"', page):
            assert get(urljoin(path, script)), script
    assert get(f"/api/datasets/{public['id']}/preview.png").startswith(b"\x89PNG")


def test_the_installed_package_is_not_the_checkout(installed):
    where = run(installed / "bin" / "python", "-I", "-c", "import gateway; print(gateway.__file__)")
    assert where.startswith(str(installed))
