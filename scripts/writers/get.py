"""The writers themselves, fetched from the package registries into a scratch folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PLATFORMS = ("manylinux1_x86_64", "manylinux2014_x86_64", "manylinux_2_28_x86_64")


@dataclass(frozen=True)
class Gdal:
    """A version of GDAL: the wheel that carries it and the CPython of that wheel, or a package of npm."""

    version: str
    package: str
    python: str = ""

    @property
    def release(self) -> tuple[int, int]:
        """Return the major and the minor number."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)


GDALS = (
    Gdal("3.1.0", "gdal3.js@1.0.1"),
    Gdal("3.2.1", "rasterio==1.2.0", "3.8"),
    Gdal("3.6.4", "rasterio==1.3.8", "3.10"),
    Gdal("3.8.4", "rasterio==1.3.10", "3.10"),
    Gdal("3.10.3", "rasterio==1.4.4", "3.11"),
    Gdal("3.11.4", "pyogrio==0.12.1", "3.12"),
    Gdal("3.12.4", "gdal-wheel==3.12.4", "3.12"),
    Gdal("3.13.3", "gdal-wheel==3.13.3", "3.12"),
)


@dataclass(frozen=True)
class Program:
    """A writer that is a program of this folder, and the packages that it needs beside those of the tests."""

    name: str
    file: str
    packages: tuple[str, ...] = ()


PROGRAMS = (
    Program("rio-cogeo", "rio.py"),
    Program("tifffile", "tiff.py"),
    Program("libvips", "vips.py", ("pyvips==3.2.0", "pyvips-binary==8.18.7")),
    Program("odc-geo", "odcgeo.py", ("odc-geo[tiff]==0.5.3", "dask", "xarray", "rasterio")),
    Program("geotiff.js and UTIF.js", "npm.mjs", ("geotiff@3.0.5", "utif2@4.1.0")),
)


def translate(gdal: Gdal, files: Sequence[object], scratch: Path) -> list[str | None]:
    """Let a version of GDAL translate files; return for each what it says against it, or None."""
    folder = scratch / gdal.version
    folder.mkdir()
    if gdal.python:
        command, library, environment = _wheel(gdal, folder)
    else:
        _run(["npm", "pack", "--silent", gdal.package], folder)
        shutil.unpack_archive(next(folder.glob("*.tgz")), folder)
        command, library, environment = ["node", str(HERE / "translate.cjs")], folder / "package" / "dist", {}
    order = {"library": str(library), "environment": environment, "files": files}
    lines = _run(command, ROOT, json.dumps(order), environment).splitlines()
    told = [json.loads(line) for line in lines]
    if told[0] not in (None, gdal.version):
        raise ValueError(f"{gdal.package} carries GDAL {told[0]}")
    return told[1:]


def _wheel(gdal: Gdal, folder: Path) -> tuple[list[str], Path, dict[str, str]]:
    """Return the command, the libgdal of a wheel, and the environment in which it finds what belongs to it."""
    options = [f"--platform={each}" for each in PLATFORMS]
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", *options]
    _run([*fetch, f"--python-version={gdal.python}", f"--dest={folder}", gdal.package], folder)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder)
    library = next(folder.glob("*libs/libgdal*"))
    data, proj = (next(folder.rglob(name)).parent for name in ("gdalvrt.xsd", "proj.db"))
    places = {"GDAL_DATA": data, "PROJ_LIB": proj, "PROJ_DATA": proj, "LD_LIBRARY_PATH": library.parent}
    return [sys.executable, "-m", "scripts.writers.translate"], library, {k: str(v) for k, v in places.items()}


def run_program(program: Program, sources: Path, targets: Path, scratch: Path) -> str:
    """Run a program over the sources; return the version that it tells."""
    folder = scratch / program.file
    folder.mkdir()
    arguments = [str(HERE / program.file), str(sources), str(targets)]
    if program.file.endswith(".mjs"):
        _run(["npm", "install", "--silent", "--prefix", str(folder), *program.packages], folder)
        return _run(["node", *arguments], folder).splitlines()[-1]
    python = sys.executable
    if program.packages:
        venv.create(folder, with_pip=True)
        python = str(folder / "bin" / "python")
        _run([python, "-m", "pip", "install", "--quiet", *program.packages], folder)
    return _run([python, *arguments], folder).splitlines()[-1]


def _run(command: list[str], folder: Path, text: str = "", environment: dict[str, str] | None = None) -> str:
    """Return what a command prints; raises CalledProcessError, its complaints told before."""
    words = ["env", *(f"{name}={value}" for name, value in (environment or {}).items()), *command]
    done = subprocess.run(words, cwd=folder, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        done.check_returncode()
    return done.stdout
