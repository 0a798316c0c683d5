import subprocess

import pytest

from gateway.shell import command_line, operands, words_of

NAMES = [
    "a.tif",
    "deep/a b.tif",
    'it\'s $HOME `x` "q".tif',
    "new\nline\t.tif",
    "\udcff\udc80.tif",
    "größe.TIFF",
    "-of.tif",
    "a:b.tif",
    "/data/a:b.tif",
    "none",
]


def shown(line):
    """The words that a shell makes of a line."""
    script = f"for word in {line}; do printf '%s\\0' \"$word\"; done"
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    return done.stdout.decode(errors="surrogateescape").split("\0")[:-1]


@pytest.mark.parametrize("name", NAMES)
def test_a_shell_reads_the_very_name_and_nothing_of_it_as_an_option(name):
    line = command_line(("gdal_translate", "-of", "COG"), name)
    assert line.isprintable()
    words = shown(line)
    assert words[:3] == ["gdal_translate", "-of", "COG"]
    assert words[3] in (name, f"./{name}")
    assert not words[3].startswith("-")
    assert not words[4].startswith("-")
    assert words[4].endswith(".cog.tif")
    assert words[3].rpartition("/")[0] == words[4].rpartition("/")[0]


@pytest.mark.parametrize("name", ["", *NAMES])
def test_the_words_of_a_line_are_found_again(name):
    words = ("gdal_translate", "-co", "COMPRESS=DEFLATE")
    assert words_of(command_line(words, name)) == words


def test_there_are_no_words_of_no_line():
    assert words_of("") == ()


def test_a_driver_does_not_take_the_name_for_one_of_its_own():
    assert shown(command_line(("x",), "GTIFF_DIR:1:a.tif"))[1] == "./GTIFF_DIR:1:a.tif"


def test_an_object_of_a_bucket_is_read_there_and_its_cog_made_here():
    assert command_line(("x",), "s3://bucket/deep/a.tif") == "x /vsis3/bucket/deep/a.tif a.cog.tif"


@pytest.mark.parametrize("name", [*NAMES, "-rf", "--help", "s3://bucket/a b/*", "$(id)", "\x1b[31m", "\u202e"])
def test_operands_of_commands_are_the_very_names_and_no_options(name):
    line = operands((name, "other"))
    assert line.isprintable()
    first, other = shown(line)
    assert first == (f"./{name}" if name.startswith("-") else name)
    assert other == "other"
