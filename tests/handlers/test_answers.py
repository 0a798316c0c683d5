"""The whole table of answers and rows is what the rules say, and what the guide shows."""

from pathlib import Path

import pytest

from gateway.model import Scale
from tests.handlers.answers import GIVING, PATHS, PATHS_ONCE, Answer, Asked, all_answers, table
from tests.handlers.layeranswers import layer_table
from tests.handlers.tokenanswers import token_table

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
@pytest.mark.parametrize("settings", [{"mint_rate": "off", "failure_rate": "off"}], indirect=True)
async def test_tokens_on_record_and_links_open_on_each_route_what_they_are_for(world, fetch):
    told = await token_table(world, fetch)
    assert "\n".join(told) in PAGE.read_text(), "scripts/access_table.py --write"


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
