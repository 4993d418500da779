"""The one schema, read from top to bottom as a story.

A **city** has **levels** of boundaries; each level holds dated **editions** of **boundary** areas. Ground inside the
nesting level is cut once into **units**; a **plan** gives every unit a **grid**. **Sources** deliver **cases** (placed in
a unit once) and **facilities**; **ways** are roads, rails and waters. Every file is one **load_run** with its **rejects**.

Geometry is stored in EPSG:4326 (longitude, latitude) and every geometry column is checked: valid, finite, not empty.
Areas are m², lengths m, measured in the CRS named beside them. No table describes a resident, household or worker.
"""

from __future__ import annotations

from geo.db.tables.base import PARTS, Base, metadata, sound, sound_point
from geo.db.tables.cases import CASE_IDS, Case, Catalogue, Category, Facility, Source
from geo.db.tables.ground import Boundary, City, Edition, Level, Unit, UnitArea, UnitBorder, Way, Weight
from geo.db.tables.loads import DataVersion, LoadRun, Reject
from geo.db.tables.people import AppUser, Attempt, Audit, Device, Token
from geo.db.tables.plans import Grid, Plan, PlanEdit, PlanException, PlanHand, PlanLineage, PlanUnit
from geo.db.tables.remarks import Consultation, PlanComment, PublicRemark
from geo.db.tables.work import Answered, Job

__all__ = [
    "CASE_IDS",
    "PARTS",
    "Answered",
    "AppUser",
    "Attempt",
    "Audit",
    "Base",
    "Boundary",
    "Case",
    "Catalogue",
    "Category",
    "City",
    "Consultation",
    "DataVersion",
    "Device",
    "Edition",
    "Facility",
    "Grid",
    "Job",
    "Level",
    "LoadRun",
    "Plan",
    "PlanComment",
    "PlanEdit",
    "PlanException",
    "PlanHand",
    "PlanLineage",
    "PlanUnit",
    "PublicRemark",
    "Reject",
    "Source",
    "Token",
    "Unit",
    "UnitArea",
    "UnitBorder",
    "Way",
    "Weight",
    "metadata",
    "sound",
    "sound_point",
]
