"""The whole table of answers and rows is what the rules say, and what the guide shows."""

import re
from pathlib import Path

import pytest

from gateway.model import Scale
from gateway.routes import all_routes
from tests.handlers.answers import GIVING, PATHS, PATHS_ONCE, Answer, Asked, all_answers, table
from tests.handlers.layeranswers import PATHS as LAYER_PATHS
from tests.handlers.layeranswers import layer_table
from tests.handlers.test_nativeparts import BOX
from tests.handlers.tokenanswers import OF_DATASET, OTHERS, table_of

PAGE = Path(__file__).parent.parent.parent / "docs" / "security.md"
ON_RECORD = ("download.finished", "download.part")
# What of the table the guide shows, by the setting that is on.
SHOWN = {
    None: {"pictures, facts, documents": ("pictures", "facts", "documents"), "values": ("values",)},
    "open_downloads": {"values": ("values",)},
    "open_values": {"values": ("values",)},
}


def may(caller: str, scale: Scale, granted: set[str]) -> bool:
    """Whether a scale lets a caller in; tokens are those of somebody who was granted all."""
    if scale is Scale.PUBLIC or caller in granted | {"tile token", "download token", "bearer, admin"}:
        return True
    return scale is Scale.INTERNAL and caller.startswith("bearer")


def ruled(asked: Asked, settings) -> Answer:
    """What the contract says of one request."""
    view, take = asked.scales
    sees = may(asked.caller, view, {"bearer, may view", "bearer, may download"})
    takes = sees and may(asked.caller, take, {"bearer, may download"})
    if asked.kind != "values" or settings.open_values:
        if asked.caller == "download token" and asked.kind != "values":
            return Answer(401, ())
        return Answer(200 if sees else 404, ())
    refused = ("download.refused",) if asked.method in GIVING else ()
    if asked.caller == "anonymous" and not settings.open_downloads:
        return Answer(401, refused)
    if not sees:
        return Answer(404, refused)
    if not takes or asked.caller == "tile token":
        return Answer(403, refused)
    return Answer(200, ON_RECORD if asked.method in GIVING else ())


@pytest.mark.gen_test(timeout=300)
async def test_every_caller_sees_of_a_layer_what_they_may(world, fetch):
    told = await layer_table(world, fetch)
    assert "\n".join(told) in PAGE.read_text(), "scripts/access_table.py --write"


@pytest.mark.gen_test(timeout=300)
@pytest.mark.parametrize("settings", [{"mint_rate": "off", "failure_rate": "off", "part_async_mb": 0}], indirect=True)
@pytest.mark.parametrize("columns", [OF_DATASET, OTHERS], ids=["a dataset", "others"])
async def test_tokens_on_record_and_links_open_on_each_route_what_they_are_for(world, fetch, columns):
    told = await table_of(world, fetch, columns)
    assert "\n".join(told) in PAGE.read_text(), "scripts/access_table.py --write"


# What they give is the same for all, or what each caller may see of what there is, which other tests ask.
OF_NOTHING = {
    "ApiDocsHandler", "OpenApiHandler", "ColormapsHandler", "GridsHandler", "IssuerHandler", "LandingHandler",
    "ConformanceHandler", "QueryablesHandler", "CollectionHandler", "CollectionsHandler", "CollectionItemsHandler",
    "SearchHandler", "DatasetsHandler", "CatalogueWmtsHandler", "StoredSearchHandler", "ElsewhereHandler",
}  # fmt: skip


def test_every_route_is_in_a_table():
    paths = [path for columns in (OF_DATASET, OTHERS) for routes in columns.values() for _, path in routes]
    paths += [f"/api/datasets/a/{path}".rstrip("/") for kind in PATHS.values() for path in kind]
    paths += [f"/api/collections/a/{path}" for kind in LAYER_PATHS.values() for path in kind]
    plain = [re.sub(r"\{\w+\}", "a", path.replace("{part}", BOX)).partition("?")[0] for path in paths]
    asked = {handler for pattern, handler in all_routes("/api") if any(re.fullmatch(pattern, path) for path in plain)}
    ours = {handler for pattern, handler in all_routes("/api") if pattern.startswith("/api/")}
    assert {handler.__name__ for handler in ours - asked} == OF_NOTHING, (
        "tests/handlers/tokenanswers.py has a line for each"
    )


OPEN = [{}, {"open_downloads": True}, {"open_values": True}, {"open_downloads": True, "open_values": True}]


@pytest.mark.gen_test(timeout=300)
@pytest.mark.parametrize(
    "settings", [{**on, "mint_rate": "off", "failure_rate": "off"} for on in OPEN], indirect=True
)
async def test_every_caller_gets_of_every_route_what_the_rules_say(world, fetch):
    settings = world.services.settings
    on = [name for name in ("open_downloads", "open_values") if getattr(settings, name)]
    # A setting opens a kind of answers, whatever its form.
    answers = await all_answers(world, fetch, PATHS_ONCE if on else PATHS)
    assert {asked: answer for asked, answer in answers.items() if answer != ruled(asked, settings)} == {}
    if len(on) < 2:
        shown = "\n".join(table(answers, SHOWN[on[0] if on else None]))
        assert shown in PAGE.read_text(), "scripts/access_table.py --write"
