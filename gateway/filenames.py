"""The name under which the file of a dataset is saved."""

from __future__ import annotations

import re
import unicodedata

ENDING = ".tif"
MAX_NAME_BYTES = 200


def file_name(title: str) -> str:
    """Return the file name of a dataset with that title.

    It ends with `.tif`, is at most 200 bytes of UTF-8, and has no path separator, control or text direction
    character in it. A title that leaves nothing becomes `dataset.tif`.
    """
    name = "".join(_safe(character) for character in title).lstrip(" .")
    name = name.encode()[: MAX_NAME_BYTES - len(ENDING)].decode(errors="ignore")
    stem = re.sub(r"(?:\.tiff?|[ .])+\Z", "", name, flags=re.IGNORECASE)
    return f"{stem or 'dataset'}{ENDING}"


def _safe(character: str) -> str:
    """Return what stands for one character of a title in a file name."""
    category, direction = unicodedata.category(character), unicodedata.bidirectional(character)
    if category == "Zs":
        return " "
    separator = character in "/\\" or category in {"Cc", "Cs", "Zl", "Zp"}
    # Overrides of the text direction could show the name's ending as another one.
    turning = direction in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return "_" if separator or turning else character
