"""One version of GDAL in a process of its own: a libgdal out of a wheel, driven through its C API.

Reads JSON from stdin: `library` (its path), `environment`, and `files`, a list of [source, target, words, config].
Tells on stdout, a line of JSON each, the version, and for each file what GDAL says against it, or null.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Sequence

COG = ("-of", "COG")


def main() -> None:
    """Translate the files."""
    order = json.load(sys.stdin)
    os.environ.update(order["environment"])
    gdal = load(order["library"])
    gdal.GDALAllRegister()
    gdal.CPLSetErrorHandler(gdal.CPLQuietErrorHandler)
    print(json.dumps(gdal.GDALVersionInfo(b"RELEASE_NAME").decode()), flush=True)
    for source, target, words, config in order["files"]:
        print(json.dumps(translate(gdal, source, target, words, config)), flush=True)


def load(path: str) -> ctypes.CDLL:
    """Return the library, with the types of the functions that are called."""
    gdal = ctypes.CDLL(path)
    text, handle = ctypes.c_char_p, ctypes.c_void_p
    gdal.GDALVersionInfo.argtypes, gdal.GDALVersionInfo.restype = [text], text
    gdal.CPLGetLastErrorMsg.restype = text
    gdal.CPLSetErrorHandler.argtypes, gdal.CPLSetErrorHandler.restype = [handle], handle
    gdal.CPLSetConfigOption.argtypes = [text, text]
    gdal.GDALOpen.argtypes, gdal.GDALOpen.restype = [text, ctypes.c_int], handle
    gdal.GDALClose.argtypes = [handle]
    gdal.GDALTranslateOptionsNew.argtypes, gdal.GDALTranslateOptionsNew.restype = [handle, handle], handle
    gdal.GDALTranslateOptionsFree.argtypes = [handle]
    gdal.GDALTranslate.argtypes, gdal.GDALTranslate.restype = [text, handle, handle, handle], handle
    return gdal


def translate(
    gdal: ctypes.CDLL, source: str, target: str, words: Sequence[str], config: dict[str, str]
) -> str | None:
    """Return None, or what GDAL says when it cannot write the COG."""
    gdal.CPLErrorReset()
    for name, value in config.items():
        gdal.CPLSetConfigOption(name.encode(), value.encode())
    array = (ctypes.c_char_p * (len(COG) + len(words) + 1))(*(word.encode() for word in (*COG, *words)), None)
    options = gdal.GDALTranslateOptionsNew(array, None)
    opened = gdal.GDALOpen(source.encode(), 0)
    made = gdal.GDALTranslate(target.encode(), opened, options, None) if opened and options else None
    if made:
        gdal.GDALClose(made)
    gdal.GDALTranslateOptionsFree(options)
    gdal.GDALClose(opened)
    for name in config:
        gdal.CPLSetConfigOption(name.encode(), None)
    return None if made else (gdal.CPLGetLastErrorMsg() or b"?").decode()


if __name__ == "__main__":
    main()
