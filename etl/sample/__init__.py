"""A synthetic Chinese city of about 600 000 people, written as the files departments send.

`write(SampleSpec(seed=1, cases=2_000, communities=24), folder)` draws a city along a river, a railway and its roads, cuts
it into communities, streets and districts, peoples it, lets two years of cases happen and writes everything (GBK
shapefiles, GeoPackage, CSV, Excel in GCJ-02) with dirty rows of every kind, ready for the same loaders that read real
deliveries. The same parameters give the same bytes. Nothing in it is real; file names, the city's name and the
manifest say so.

Story, one room after the other: `spec` → `lines` → `areas` → `land` → `naming` → `roads` → `people` → `city` → `sites`
→ `happenings` → `dirt` → `case_files`, `ground_files` → `writing`.
"""

from etl.sample.binding import bind
from etl.sample.spec import TIMEZONE, SampleSpec
from etl.sample.writing import MANIFEST, Written, write

__all__ = ["MANIFEST", "TIMEZONE", "SampleSpec", "Written", "bind", "write"]
