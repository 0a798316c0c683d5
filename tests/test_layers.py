"""Imports point down only, rooms on one floor are strangers, and each outside library has one home."""

import ast
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "gateway"

# From the top floor down. A room is a module or a folder of modules directly below `gateway/`.
FLOORS = (
    ("__main__", "cli"),
    ("serve",),
    ("recording",),
    ("supervisor", "app", "keyring"),
    ("apidocs",),
    ("routes",),
    ("handlers",),
    ("services",),
    ("download", "deep", "issuing", "members", "filelists", "jobs"),
    ("partfiles",),
    ("gatekeeper", "ingest", "rechecking", "refusals", "shown", "state", "copying", "export", "reconciling"),
    ("overviews",),
    ("ingest_records", "ingest_known", "ingest_tasks"),
    ("ingest_options", "ingest_outcome", "judging", "inventory"),
    ("studio", "buckets"),
    ("tiles",),
    ("colour",),
    ("reading",),
    ("cog", "storage", "records", "audit", "tokens", "ranges", "sources"),
    ("stac", "listformats", "accesslogs"),
    ("catalogue",),
    (
        "pools",
        "digests",
        "files",
        "filenames",
        "remembered",
        "settings",
        "logs",
        "metrics",
        "ground",
        "rates",
        "systemd",
        "scratch",
        "allocator",
    ),
    ("model", "errors"),
    ("shell", "dates", "ids", "principal", "imports", "reasons"),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

HOMES = {
    "tornado": {"app", "apidocs", "serve", "handlers", "routes"},
    "rasterio": {"colour", "reading", "cog", "ground", "tiles"},
    "numpy": {"colour", "reading", "cog", "ground", "tiles"},
    "rio_tiler": {"colour", "tiles"},
    "morecantile": {"ground", "tiles"},
    "cv2": {"colour", "tiles"},
    "imagecodecs": {"colour", "reading", "tiles"},
    "isal": {"colour", "tiles"},
    "pyproj": {"ground"},
    "cql2": {"catalogue"},
    "shapely": {"catalogue", "ground"},
    "pyarrow": {"export"},
    "sqlite_utils": {"records"},
    "sqlite3": set(),
    "pysqlite3": set(),
    "psycopg": {"records"},
    "boto3": {"storage"},
    "botocore": {"storage"},
    "jwt": {"tokens"},
    "click": {"__main__", "cli"},
    "rich": {"__main__", "cli"},
    "prometheus_client": {"metrics"},
    "limits": {"rates"},
    "redis": {"rates"},
    "dask": {"cli"},
    "distributed": {"cli"},
    "msgspec": {"studio", "audit", "deep"},
    "pydantic": {"settings"},
    "pydantic_settings": {"settings"},
}
# `__main__` assembles the commands, and files of one room know each other.
SAME_FLOOR_FRIENDS = {
    ("__main__", "cli"),
    ("cli", "__main__"),
    ("model", "errors"),
    ("errors", "model"),
    ("files", "errors"),
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative imports hide the room"
            names.add(node.module)
            if node.module == "gateway":
                names |= {f"gateway.{alias.name}" for alias in node.names}
    return names


def strangers(path: Path) -> list[str]:
    """Return the rooms that a file imports and may not know."""
    room = room_of(path)
    if room == "__init__":
        return []
    names = [name.split(".") for name in imported(path)]
    others = {parts[1] for parts in names if parts[0] == "gateway" and len(parts) > 1} - {room, "__version__"}
    return [
        other
        for other in sorted(others)
        if FLOOR_OF[other] <= FLOOR_OF[room] and (room, other) not in SAME_FLOOR_FRIENDS
    ]


def test_imports_point_down():
    found = {path: strangers(path) for path in MODULES}
    assert {path: rooms for path, rooms in found.items() if rooms} == {}


def test_outside_libraries_stay_at_home():
    away = [
        (path, name)
        for path in MODULES
        for name in imported(path)
        if room_of(path) not in HOMES.get(name.split(".")[0], {room_of(path)})
    ]
    assert away == []


def test_only_one_module_knows_dask():
    knowing = [path.name for path in MODULES if {"dask", "distributed"} & {n.split(".")[0] for n in imported(path)}]
    assert knowing == ["cluster.py"]


def test_every_room_has_a_floor():
    assert {room_of(path) for path in MODULES} - {"__init__"} == set(FLOOR_OF)
