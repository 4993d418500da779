"""Which GDAL drivers exist in this process: none but those that are needed, whatever GDAL was built with.

GDAL can be told by environment which drivers to skip, but only by listing them, and a newer GDAL has more. Taking
drivers out by name works for all of them, in any build.
"""

from __future__ import annotations

import ctypes
import re
from functools import lru_cache
from pathlib import Path

import pyogrio

from geo.errors import Unavailable


@lru_cache(maxsize=1)
def _gdal() -> ctypes.CDLL:
    """The GDAL library that pyogrio loaded into this process."""
    names = re.findall(r"(/\S*libgdal[^/\s]*\.so[^/\s]*)", Path("/proc/self/maps").read_text())
    if not names:
        raise Unavailable("找不到 GDAL 库。", "The GDAL library is not found.", code="gdal-missing")
    library = ctypes.CDLL(names[0])
    library.GDALGetDriver.restype = ctypes.c_void_p
    library.GDALGetDriverShortName.restype = ctypes.c_char_p
    library.GDALGetDriverShortName.argtypes = [ctypes.c_void_p]
    library.GDALDeregisterDriver.argtypes = [ctypes.c_void_p]
    return library


def keep_only(names: set[str] | frozenset[str]) -> None:
    """Deregister every GDAL driver but the named ones; raises Unavailable `gdal-drivers` when others remain."""
    library = _gdal()
    for number in reversed(range(library.GDALGetDriverCount())):
        driver = library.GDALGetDriver(number)
        if library.GDALGetDriverShortName(driver).decode() not in names:
            library.GDALDeregisterDriver(driver)
    left = set(pyogrio.list_drivers()) - set(names)
    if left:
        raise Unavailable(
            "无法停用 GDAL 驱动。",
            f"GDAL drivers could not be taken out: {sorted(left)}.",
            code="gdal-drivers",
        )
