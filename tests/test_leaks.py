"""No file of the repository tells of the machine it was written on, or holds a key or a token."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# The patterns are written so that this file does not match itself.
EVERYWHERE = {
    "a path of one machine": r"(?<![\w.*~-])/(?:work|root|home/[a-z]\w*)/\.?\w|/tmp/[v]env\b",
    "a package index": r"(?:index-url|index_url|find-links|find_links|registry)[ =:\"']+(?:https?|file)://|://[^\s/]+/simple\b",
    "a login in a URL": r"https?://[^\s/:@\"'{}]+:[^\s/@\"'{}]+@",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*[A-Za-z0-9+/]{16}",
    "an access key of AWS": r"\b(?:AKIA|ASIA)(?!IOSFODNN7EXAMPLE)[A-Z0-9]{16}\b",
}
OUTSIDE_OF_TESTS = {"a token": r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*"}


def tracked() -> list[Path]:
    """The files that git tracks and that are there; outside of a checkout there are none to judge."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def leaks(text: str, *, in_tests: bool) -> list[str]:
    """What `text` gives away, each with the place where it does."""
    patterns = EVERYWHERE if in_tests else EVERYWHERE | OUTSIDE_OF_TESTS
    return [f"{what}: {found[0][:40]}" for what, pattern in patterns.items() for found in re.finditer(pattern, text)]


def test_no_tracked_file_leaks():
    found = {}
    for path in tracked():
        name = str(path.relative_to(ROOT))
        # Latin 1 reads any bytes, so that rasters and pictures are searched too.
        found[name] = leaks(path.read_text("latin-1"), in_tests=name.startswith("tests/"))
    assert len(found) > 50
    assert {name: told for name, told in found.items() if told} == {}


@pytest.mark.parametrize(
    "parts",
    [
        ("cd /wo", "rk/main"),
        ("see '/ro", "ot/.cache'"),
        ("/home/", "ada/x"),
        ("/tmp/", "venv/bin/python"),
        ("pip install --index-url ", "https://x.example/"),
        ("index-url = ", "file:///opt"),
        ("https://x.example", "/simple/"),
        ("https://ada:", "word@x.example/"),
        ("-----BEGIN PRIVATE KEY", "-----\nMIIEvQIBADANBgkqhkiG"),
        ("-----BEGIN RSA PRIVATE KEY", "-----\nMIIEvQIBADANBgkqhkiG"),
        ("AKIA", "ABCDEFGHIJKLMNOP"),
        ("eyJhbGciOiJIUzI1NiJ9", ".eyJzdWIiOiJhbmEifQ.c2ln"),
    ],
)
def test_a_leak_is_seen(parts):
    assert leaks("".join(parts), in_tests=False)


@pytest.mark.parametrize("text", ["/work", "docs/work/x", "https://example.org/root/x", "/rooted/x", "a simple/test"])
def test_ordinary_text_is_no_leak(text):
    assert leaks(text, in_tests=False) == []


def test_tests_may_hold_tokens():
    token = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiJhbmEifQ.c2ln"
    assert leaks(token, in_tests=True) == []
