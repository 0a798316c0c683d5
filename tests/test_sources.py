import io
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway import sources
from gateway.sources import Hidden, Lack, Problem, Source, expand, modified_since, names_in

TIFF = b"II*\0rest"


def names(*arguments, stdin=()):
    return [found.name for found in expand([str(a) for a in arguments], stdin) if isinstance(found, Source)]


def problems(*arguments, stdin=()):
    return [found for found in expand([str(a) for a in arguments], stdin) if isinstance(found, Problem)]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.tif", "a.TIFF", "sub/c.gtiff"):
        (tmp_path / name).write_bytes(TIFF)
    (tmp_path / "sub/magic.dat").write_bytes(TIFF)
    (tmp_path / "notes.txt").write_text("no raster")
    (tmp_path / ".hidden.tif").write_bytes(TIFF)
    return tmp_path


def test_a_folder_is_walked_in_order_and_only_rasters_are_taken(folder):
    found = list(expand([str(folder)], ()))
    assert [s.relative for s in found] == ["a.TIFF", "b.tif", "sub/c.gtiff", "sub/magic.dat"]
    assert found[0].name == str(folder / "a.TIFF")
    assert found[0].path == folder / "a.TIFF"


@pytest.mark.parametrize("magic", [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"])
def test_every_tiff_magic_makes_a_candidate(tmp_path, magic):
    (tmp_path / "raster").write_bytes(magic)
    assert names(tmp_path) == [str(tmp_path / "raster")]


def test_links_to_folders_are_not_followed(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "x.tif").write_bytes(TIFF)
    (folder / "link").symlink_to(elsewhere)
    (folder / "link.tif").symlink_to(elsewhere)
    assert not any(name.endswith(("link", "link.tif", "x.tif")) for name in names(folder))


def test_a_link_to_a_file_is_a_source(folder):
    (folder / "z.tif").symlink_to(folder / "notes.txt")
    assert str(folder / "z.tif") in names(folder)


def test_a_given_file_needs_no_suffix_and_is_named_by_its_file_name(folder):
    (found,) = expand([str(folder / "notes.txt")], ())
    assert found == Source(str(folder / "notes.txt"), folder / "notes.txt", "notes.txt")


def test_the_same_file_counts_once_by_whatever_name(folder):
    (folder / "again.tif").symlink_to(folder / "b.tif")
    assert names(folder / "b.tif", folder / "sub/../b.tif", folder / "again.tif") == [str(folder / "b.tif")]


def test_a_missing_source_is_a_problem_and_the_others_still_come(folder):
    (problem,) = problems(folder / "none.tif", folder / "b.tif")
    assert problem == Problem(str(folder / "none.tif"), Lack.MISSING, "no such file or folder")
    assert names(folder / "none.tif", folder / "b.tif") == [str(folder / "b.tif")]


def test_a_path_below_a_file_or_with_a_nul_cannot_be_read(folder):
    found = problems(folder / "b.tif/x.tif", "a\0b")
    assert [p.message for p in found] == ["cannot be read: not a directory", "cannot be read: no usable path"]


def test_a_folder_without_a_raster_is_a_problem_of_its_own(tmp_path):
    (tmp_path / "notes.txt").write_text("no raster")
    assert [p.lack for p in problems(tmp_path)] == [Lack.NO_RASTER]


def test_a_pattern_is_expanded_in_order(folder):
    assert names(folder / "*.[tT]*") == [str(folder / n) for n in ("a.TIFF", "b.tif", "notes.txt")]
    assert names(f"{folder}/**/*.gtiff") == [str(folder / "sub/c.gtiff")]


def test_a_recursive_pattern_names_every_file_once_under_its_own_name(folder):
    assert [s.relative for s in expand([f"{folder}/**"], ())] == [
        "a.TIFF",
        "b.tif",
        "notes.txt",
        "c.gtiff",
        "magic.dat",
    ]


def test_a_folder_that_a_pattern_matches_is_walked(folder):
    assert names(f"{folder}/s*b") == [str(folder / "sub/c.gtiff"), str(folder / "sub/magic.dat")]


def test_a_pattern_without_a_match_is_a_problem(folder):
    assert [p.lack for p in problems(f"{folder}/*.jp2")] == [Lack.MISSING]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder):
    (folder / "x[1].tif").write_bytes(TIFF)
    (folder / "x1.tif").write_bytes(TIFF)
    assert names(folder / "x[1].tif") == [str(folder / "x[1].tif")]


def test_a_dash_reads_one_path_a_line_from_stdin_once(folder):
    lines = list(names_in(io.BytesIO(f"{folder / 'b.tif'}\n\n  \n{folder / 'sub'}\r\n{folder}/*.tif".encode())))
    assert names("-", "-", stdin=lines) == [str(folder / n) for n in ("b.tif", "sub/c.gtiff", "sub/magic.dat")]
    assert [p.name for p in problems("-", stdin=lines)] == [f"{folder}/*.tif"]


def test_a_pipe_is_a_source_where_it_is_named_and_never_opened_for_its_magic(folder):
    os.mkfifo(folder / "pipe")
    os.mkfifo(folder / "pipe.tif")
    assert names(folder / "pipe") == [str(folder / "pipe")]
    assert [n for n in names(folder) if "pipe" in Path(n).name] == [str(folder / "pipe.tif")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_a_problem(folder):
    (folder / "sub").chmod(0)
    try:
        found = problems(folder)
    finally:
        (folder / "sub").chmod(0o700)
    assert [(p.name, p.message) for p in found] == [(str(folder / "sub"), "cannot be read: permission denied")]


def test_a_folder_that_vanishes_while_it_is_walked_is_a_problem(folder, monkeypatch):
    real = os.listdir

    def listdir(path):
        if Path(path).name == "sub":
            raise PermissionError(13, "no")
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    assert [p.message for p in problems(folder)] == ["cannot be read: permission denied"]


def test_names_are_looked_up_as_they_are_asked_for(folder):
    def lines():
        yield str(folder / "b.tif")
        raise AssertionError("nobody asked for a second line")

    assert next(expand(["-"], lines())).name == str(folder / "b.tif")
    found = expand([str(folder)], ())
    assert next(found).relative == "a.TIFF"
    (folder / "sub/c.gtiff").unlink()
    assert [s.relative for s in found] == ["b.tif", "sub/magic.dat"]


def test_a_file_is_modified_since_its_own_moment_and_what_cannot_be_asked_counts_as_modified(folder):
    path = folder / "b.tif"
    os.utime(path, (1_000_000, 1_000_000.5))
    source = Source(str(path), path, path.name)
    assert modified_since(source, datetime.fromtimestamp(1_000_000.5, UTC))
    assert not modified_since(source, datetime.fromtimestamp(1_000_001, UTC))
    path.unlink()
    assert modified_since(source, datetime.now(UTC))
    assert modified_since(Problem("x", Lack.MISSING, "no such file"), datetime.now(UTC))


LIST = "/d/ä.tif\r\n/d/b c.tif\n"


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-mark", "utf-16-be-mark"])
@pytest.mark.parametrize("piece", [1, 3, 65536])
def test_a_list_may_begin_with_a_byte_order_mark_and_be_utf_16(monkeypatch, coding, piece):
    """PowerShell writes UTF-16, some editors a mark before UTF-8; pieces may end within a letter."""
    monkeypatch.setattr(sources, "LIST_BYTES", piece)
    name = coding.removesuffix("-mark")
    data = ("\ufeff" if name != coding else "") + LIST
    assert list(names_in(io.BytesIO(data.encode(name)))) == ["/d/ä.tif", "/d/b c.tif", ""]


def test_a_list_may_hold_names_that_are_no_utf_8_or_nothing():
    assert [os.fsencode(name) for name in names_in(io.BytesIO(b"/a\xff.tif\n/b"))] == [b"/a\xff.tif", b"/b"]
    assert list(names_in(io.BytesIO(b""))) == [""]
    assert list(names_in(io.BytesIO(b"x"))) == ["x"]


def test_names_ended_by_a_nul_are_taken_as_they_are():
    assert list(names_in(io.BytesIO(b"/a\n.tif\0/b\r\0"), null=True)) == ["/a\n.tif", "/b\r", ""]


def test_sidecars_of_a_raster_beside_them_are_no_files_of_a_folder_or_a_pattern(folder):
    for name in ("b.tif.ovr", "b.tif.msk", "b.tif.msk.ovr", "b.tif.aux.xml", "alone.tif.ovr"):
        (folder / name).write_bytes(TIFF)
    for argument in (folder, f"{folder}/*", f"{folder}/**"):
        found = {Path(name).name for name in names(argument)}
        assert "b.tif" in found
        assert {name for name in found if name.startswith(("b.tif.", "alone"))} == {"alone.tif.ovr"}
    assert names(folder / "b.tif.ovr") == [str(folder / "b.tif.ovr")]
    (told,) = problems(f"{folder}/b*.msk")
    assert told.message == "only sidecars of other files match this pattern"


def test_a_link_that_leads_nowhere_is_a_problem_in_a_folder_as_outside(folder):
    link = folder / "sub" / "gone.tif"
    link.symlink_to(folder / "none.tif")
    assert problems(folder) == problems(link) == [Problem(str(link), Lack.MISSING, "a link that leads nowhere")]


def test_a_link_that_leads_to_itself_is_told_as_one_in_a_folder_as_outside(folder):
    link = folder / "sub" / "round.tif"
    link.symlink_to(link)
    assert (
        problems(folder) == problems(link) == [Problem(str(link), Lack.MISSING, "a link that leads back to itself")]
    )


def test_a_folder_with_hidden_rasters_only_says_so(tmp_path):
    hidden = Hidden()
    for name in (".a.tif", ".b.tif"):
        (tmp_path / name).write_bytes(TIFF)
        (told,) = expand([str(tmp_path)], (), hidden=hidden)
    assert told.message.startswith(f"the folder has no raster in it; 2 hidden names were passed over: {tmp_path}/.")
    assert told.message.endswith(" and 1 more")
    assert hidden.count == 0


def test_hidden_names_of_folders_with_rasters_are_counted(folder):
    (folder / "sub" / ".DS_Store").write_text("")
    hidden = Hidden()
    list(expand([str(folder), str(folder / "sub")], (), hidden=hidden))
    assert hidden.told() == f"3 hidden names were passed over: {folder / '.hidden.tif'} and 2 more"
    hidden = Hidden()
    list(expand([str(folder / "sub")], (), hidden=hidden))
    assert hidden.told() == f"1 hidden name was passed over: {folder / 'sub' / '.DS_Store'}"


def test_of_a_name_that_is_longer_than_any_path_the_rest_is_left_out():
    names = list(names_in(io.BytesIO(b"a.tif\n" + b"x" * 10_000_000 + b"\nb.tif\n")))
    assert [name for name in names if len(name) < 10] == ["a.tif", "b.tif", ""]
    assert len(max(names, key=len)) < 1_000_000
