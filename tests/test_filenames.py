"""The name under which the file of a dataset is saved."""

import pytest

from gateway.filenames import MAX_NAME_BYTES, file_name


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Relief 2026", "Relief 2026.tif"), ("Übersicht (1) 漢字", "Übersicht (1) 漢字.tif"), ("a.TIFF", "a.tif"),
        ("../b\\c\n", "_b_c_.tif"), ("", "dataset.tif"), ("a\u202efit.exe", "a_fit.exe.tif"), ("a\u00a0b", "a b.tif"),
    ],
)  # fmt: skip
def test_the_file_name_follows_the_title(title, name):
    assert file_name(title) == name


def test_a_long_title_is_cut_between_characters():
    assert file_name("é" * 300) == "é" * 98 + ".tif"
    assert len(file_name("漢" * 300).encode()) <= MAX_NAME_BYTES
