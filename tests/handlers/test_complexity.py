"""No text that a stranger sends costs more than in proportion to its length."""

import ast
import re
import time
from contextlib import suppress
from pathlib import Path

import pytest

from gateway import logs, ranges
from gateway.handlers.targets import origin_form
from gateway.routes import all_routes

PACKAGE = Path(logs.__file__).parent
# Where text of clients goes. Of the rest of the package only what settings, files and operators say.
ROOMS = [
    *(PACKAGE / "handlers").glob("*.py"), PACKAGE / "logs.py", PACKAGE / "ranges.py", PACKAGE / "tiles/parameters.py",
    PACKAGE / "colour/expressions.py",
]  # fmt: skip
PUMPS = (
    "eyJ", "eyJ.", "eyJaaaaa.", "eyJ%2e", "a", "a.", ".", " ", "\t", '"', '" ', '"",', ",", ", ", "W/", "token=", "token=%3D",
    "%3D", "0", "0.", "=", "/", "[", ":", ";", "q=0", "q=0;", "-", "cgw_", "//", "http://", "+1", "1e",
)  # fmt: skip
SUFFIXES = ("", "!", "\0", "\n")
# Of names that have been cut to 200 bytes.
BOUNDED = {r"(?:\.tiff?|[ .])+\Z"}
SHORT, LONG = 2_000, 16_000
# Eight times the text: eight times the time when it is linear, 64 times when it is quadratic.
ALLOWED = 28


def expressions() -> list[tuple[str, str, str]]:
    """Every regular expression in those files, with the name of its file and the method that uses it."""
    found = []
    for path in ROOMS:
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if not (call and isinstance(node.func.value, ast.Name) and node.func.value.id == "re"):
                continue
            (first, *_), method = node.args, node.func.attr
            if not isinstance(first, ast.Constant) or method not in (
                "compile",
                "fullmatch",
                "match",
                "search",
                "sub",
            ):
                continue
            if method == "compile":
                (name,) = re.findall(r"(\w+) = re\.compile\(\s*r?f?[\"']" + re.escape(text_of(text, first)), text)
                found += [(path.name, first.value, used) for used in set(re.findall(rf"\b{name}\.(\w+)\(", text))]
            else:
                found.append((path.name, first.value, method))
    found += [("routes.py", pattern, "fullmatch") for pattern, _ in all_routes("/api")]
    return [one for one in found if one[1] not in BOUNDED]


def text_of(source: str, node: ast.Constant) -> str:
    """Return the first characters of a constant as the source has them."""
    segment = ast.get_source_segment(source, node)
    return segment.lstrip("rf")[1:9]


def seconds(work, text: str) -> float:
    """Return the processor time of the quickest of a few runs."""
    best = 9.9
    for _ in range(4):
        began = time.thread_time()
        work(text)
        best = min(best, time.thread_time() - began)
    return best


def assert_linear(work, prefix: str = "") -> None:
    for pump in PUMPS:
        for suffix in SUFFIXES:
            short, long = (prefix + pump * (length // len(pump)) + suffix for length in (SHORT, LONG))
            took = seconds(work, long)
            # Below that the clock says nothing, and no stranger gains anything.
            if took > 0.002:
                assert took < ALLOWED * seconds(work, short), (pump, suffix, took)


FOUND = expressions()


def test_expressions_of_all_kinds_are_found():
    files = {file for file, _, _ in FOUND}
    assert {"logs.py", "ranges.py", "routes.py", "proxies.py", "targets.py", "pages.py", "parameters.py"} <= files


@pytest.mark.parametrize(
    ("file", "expression", "method"), FOUND, ids=[f"{f}-{n}" for n, (f, _, _) in enumerate(FOUND)]
)
def test_eight_times_the_text_takes_no_regular_expression_much_more_than_eight_times_as_long(
    file, expression, method
):
    compiled = re.compile(expression)
    work = (lambda text: compiled.sub("", text)) if method == "sub" else getattr(compiled, method)
    start = re.match(r"[A-Za-z/]*", expression)[0]
    for prefix in {"", start}:
        assert_linear(work, prefix)


@pytest.mark.parametrize(
    "work",
    [
        logs.redact,
        lambda text: ranges.parse_range("bytes=" + text, 100) if not text.startswith("-") else None,
        lambda text: ranges._matches(text, '"a"', weak=True),
        lambda text: ranges._date(text, None),
        ranges.content_disposition,
        lambda text: origin_form(FakeLine("http://" + text), {"Host": text}),
    ],
)
def test_nor_do_the_functions_that_read_headers_and_targets(work):
    def quietly(text):
        with suppress(ranges.RangeNotSatisfiable):
            work(text)

    assert_linear(quietly)


class FakeLine:
    """A request line with nothing but a target."""

    def __init__(self, path):
        self.path = path

    def _replace(self, path):
        return FakeLine(path)


def test_a_quadratic_expression_would_be_noticed():
    with pytest.raises(AssertionError):
        assert_linear(re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+").search)
