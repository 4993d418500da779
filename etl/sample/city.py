"""The whole synthetic city in one value, and the one step from flat metres to longitude and latitude."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from etl.sample import areas, land, lines, naming, people, roads
from etl.sample.lines import Floats
from etl.sample.spec import CENTRE_LAT, CENTRE_LON, PLANAR_CRS, SampleSpec
from geo import crs

DEGREE_DIGITS = 7  # about a centimetre


@dataclass(frozen=True)
class City:
    """Ground, people and names of one synthetic city, in flat metres (see `lonlat`)."""

    spec: SampleSpec
    lines: lines.Lines
    areas: areas.Areas
    land: land.Land
    names: naming.Names
    network: roads.Network
    buildings: people.Buildings
    facilities: list[people.Facilities]

    def lonlat(self, xy: Floats) -> Floats:
        """Flat points (n, 2) as WGS 84 degrees, bent and rounded."""
        return _degrees(lines.warp(np.asarray(xy, dtype=np.float64), self.lines.waves))

    def on_earth(self, geometries: NDArray[np.object_], *, cut: bool = False) -> NDArray[np.object_]:
        """Flat geometries as WGS 84 degrees; the same vertex always lands on the same point, so coverages stay."""
        return np.asarray(
            shapely.transform(lines.bend(geometries, self.lines, cut=cut), _degrees), dtype=object
        )


def build(spec: SampleSpec) -> City:
    """Everything but the cases: about three seconds for the full city."""
    drawn = lines.draw(spec)
    cut = areas.draw(spec, drawn)
    used = land.draw(spec, drawn, cut)
    names = naming.draw(spec, cut)
    buildings = people.houses(spec, cut, used)
    return City(
        spec=spec,
        lines=drawn,
        areas=cut,
        land=used,
        names=names,
        network=roads.draw(spec, drawn, cut, used),
        buildings=buildings,
        facilities=people.serve(spec, cut, used, names, buildings),
    )


def _degrees(xy: Floats) -> Floats:
    east, north = crs.from_wgs84([CENTRE_LON], [CENTRE_LAT], PLANAR_CRS)
    lon, lat = crs.to_wgs84(xy[:, 0] + east[0], xy[:, 1] + north[0], PLANAR_CRS)
    return np.asarray(np.round(np.c_[lon, lat], DEGREE_DIGITS))
