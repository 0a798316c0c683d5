"""The running server answers as its description says, whatever of each parameter schemathesis asks for."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.e2e.test_serve import bearer, ingest

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance"
)
# So that most requests reach what they are about: real ids, and pictures of a size that takes no time.
NARROWED = {
    "tms": {"type": "string", "enum": ["WebMercatorQuad", "WorldCRS84Quad"]},
    "map": {"type": "string", "enum": ["viridis", "magma"]},
    "collection": {"type": "string", "enum": ["data", "none"]},
    "asset": {"type": "string", "enum": ["icon.svg", "docs.js", "none.js"]},
    "z": {"type": "integer", "minimum": 0, "maximum": 12},
    "x": {"type": "integer", "minimum": 0, "maximum": 3},
    "y": {"type": "integer", "minimum": 0, "maximum": 3},
    "width": {"type": "integer", "minimum": 1, "maximum": 300},
    "height": {"type": "integer", "minimum": 1, "maximum": 300},
}


def narrowed(described: dict, dataset: str) -> dict:
    """Return the description with ids that there are; HEAD is GET without its body and left out.

    A parameter of the query that many operations share is read by one function, and asked for of the first.
    """
    asked: Counter[str] = Counter()
    for item in described["paths"].values():
        item.pop("head", None)
        for parameter in item["parameters"]:
            if parameter["name"] in ("id", "item"):
                parameter["schema"] = {"type": "string", "enum": [dataset, dataset.upper(), "no-id"]}
            else:
                parameter["schema"] = NARROWED.get(parameter["name"], parameter["schema"])
        for operation in (each for each in item.values() if isinstance(each, dict)):
            shared = [json.dumps(each) for each in operation["parameters"] if each["in"] == "query"]
            asked.update(shared)
            operation["parameters"] = [each for each in operation["parameters"] if asked[json.dumps(each)] <= 1]
            for parameter in operation["parameters"]:
                # A URL may have 32 KiB.
                key = "maxItems" if parameter["schema"].get("type") == "array" else "maxLength"
                parameter["schema"][key] = min(parameter["schema"].get(key, 300), 3 if key == "maxItems" else 300)
    return described


def test_no_answer_is_another_one_than_the_description_says(start, folder: Path):
    server = start(mint_rate="off", failure_rate="off")
    dataset, headers = ingest(server), bearer(server)
    described = json.loads(server.ask("/api/openapi.json")[2])
    (folder / "api.json").write_text(json.dumps(narrowed(described, dataset)))
    command = [
        Path(sys.executable).parent / "schemathesis", "run", folder / "api.json", "-u", f"http://127.0.0.1:{server.port}",
        "-H", f"Authorization: {headers['Authorization']}", "--phases", "coverage", "--seed", "2",
        "--request-timeout", "120", "--continue-on-failure", "-c", CHECKS, "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=400)
    told = "\n".join(line[:400] for line in done.stdout.splitlines() if line.strip())
    assert done.returncode == 0, told[-8000:] + done.stderr[-1000:]
    # Whatever the machine is: no limit of time leaves an operation out.
    selected, tested = (re.search(rf"{word}: (\d+)", done.stdout)[1] for word in ("Selected", "Tested"))
    assert int(selected) == int(tested) >= 50
