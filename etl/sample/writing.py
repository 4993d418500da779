"""All files of one synthetic city, and the manifest that says what each is and what a loader must report."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from etl.sample import case_files, city, ground_files, sites
from etl.sample.case_files import CaseFile
from etl.sample.ground_files import GroundFile
from etl.sample.spec import SampleSpec
from geo.progress import Progress, silent

MANIFEST = "synthetic_manifest.json"


@dataclass(frozen=True)
class Written:
    """What was written: the parameters, the files of the ground and the case files with their accounts."""

    spec: SampleSpec
    name: str
    ground: list[GroundFile]
    cases: list[CaseFile]
    manifest: Path

    def ground_for(self, use: str) -> list[GroundFile]:
        """The files for one loader, in loading order."""
        return [f for f in self.ground if f.use == use]


def write(spec: SampleSpec, folder: Path, progress: Progress = silent) -> Written:
    """Write the city into `folder` (made if need be; files of the same names are replaced).

    The same `spec` gives the same bytes. `synthetic_manifest.json` lists every file with its SHA-256.
    """
    folder.mkdir(parents=True, exist_ok=True)
    progress("city", 0, 2)
    built = city.build(spec)
    progress("city", 1, 2)
    ground = ground_files.write(built, folder)
    progress("city", 2, 2)
    cases = case_files.write(built, sites.draw(built), folder, progress)
    manifest = folder / MANIFEST
    done = Written(spec, built.names.city, ground, cases, manifest)
    manifest.write_text(json.dumps(_described(done), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return done


def _described(done: Written) -> dict[str, Any]:
    return {
        "synthetic": True,
        "note": "合成数据，不代表任何真实城市。 Synthetic data; no real city is meant.",
        "city": done.name,
        "parameters": {k: str(v) if k == "last_day" else v for k, v in asdict(done.spec).items()},
        "ground": [
            {
                "file": f.path.name,
                "load": f.use,
                "as": f.name,
                "features": f.features,
                "sha256": _sha256(f.path),
            }
            for f in done.ground
        ],
        "cases": [
            {
                "file": f.path.name,
                "load": "cases",
                "as": f.source,
                "crs": f.crs,
                "encoding": f.encoding,
                "expected": f.account.as_dict(),
                "sha256": _sha256(f.path),
            }
            for f in done.cases
        ],
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
