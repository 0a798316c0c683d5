"""Others' validator of STAC, with the schemas that lie beside the project."""

import json
from pathlib import Path

import pytest
from pystac.validation.stac_validator import JsonSchemaSTACValidator

HOSTS = [parent / "shared" / "stac-schemas" for parent in Path(__file__).parents]
SCHEMAS = next((folder for folder in HOSTS if folder.is_dir()), None)


@pytest.fixture(scope="module")
def validator():
    """Others' validator, with all schemas at hand."""
    if SCHEMAS is None:
        pytest.skip("the folder shared/stac-schemas, with the schemas of the extensions, is not beside the project")
    found = JsonSchemaSTACValidator()
    for path in SCHEMAS.rglob("schema.json"):
        found.schema_cache[f"https://{path.relative_to(SCHEMAS)}"] = json.loads(path.read_text())
    return found
