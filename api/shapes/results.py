"""What came of a job, by its kind: proposed, rebalanced, sampled, imported, exported (what was loaded: `loads`)."""

from __future__ import annotations

from api.shapes.loads import LoadReport
from api.shapes.shape import Shape
from api.shapes.words import Both, Nesting, PlanMade


class Reason(Shape):
    """Why it is not better: where, what was measured, what would be allowed (shares of the fair load)."""

    code: str
    where: str
    measured: float
    allowed: float
    zh: str
    en: str


class Bounds(Shape):
    """Worst deviations that no plan can beat, and the fewest grids the ground allows."""

    heaviest_unit: float
    nested: float | None
    fewest: int
    fewest_nested: int
    grids_per_area: dict[str, int]
    explained: list[Reason]


class Choice(PlanMade):
    """One proposed plan: where it stands on the trade-off; shares are 0–1, `outside` counts grids beyond the tolerance."""

    nesting: Nesting
    label_zh: str
    label_en: str
    deviation: float
    mean_deviation: float
    outside: int
    compactness: float
    crossing: int
    explained: list[Reason]


class Proposed(Shape):
    """`plan.propose`: the drafts, the usual choice first, and what no plan could beat."""

    plans: list[Choice]
    grids: int
    bounds: Bounds


class Stuck(Shape):
    """Why a grid (null: several) stays outside the tolerance."""

    code: str
    grid: str | None
    measured: float
    allowed: float
    zh: str
    en: str
    do_zh: str
    do_en: str


class Rebalanced(Shape):
    """`plan.rebalance`: the draft that changed, what moved, the least that had to, and what is stuck."""

    plans: list[PlanMade]
    changed: list[str]
    removed: list[str]
    moved_weight: float
    moved_share: float
    moved_units: int
    changed_grids: int
    least_share: float
    certain_share: float
    deviation: float
    within_tolerance: float
    stuck: list[Stuck]


class Rank(Shape):
    """A plan among the sampled ones on one measure; places from 1, the best."""

    measure: str
    value: float
    better_share: float
    equal_share: float
    worse_share: float
    rank_first: int
    rank_last: int
    of: int
    mixed: bool


class Ranked(Shape):
    """One measure with the quantiles of the sampled plans (5, 25, 50, 75, 95 %) and whether the walks agree."""

    rank: Rank
    quantiles: list[float]
    rhat: float | None
    ess: float | None


class Sampled(Shape):
    """`plan.ensemble`: a plan's place on each measure among random valid plans."""

    plan_id: int
    name: str
    weight: str
    tolerance: float
    plans: int
    chains: int
    steps: int
    changed_share: float
    mixed: bool
    measures: list[Ranked]


class TableImported(Shape):
    """What became of a table unit → grid."""

    plan_id: int
    name: str
    grids: int
    units: int
    open_units: int
    nesting: Nesting


class LayerImported(TableImported):
    """What became of a layer: polygons that won no unit, ground and cases that lie in another grid than in the layer."""

    lost_polygons: list[str]
    differing_m2: float
    differing_cases: int
    cases: int
    cut_units: int


class Imported(Shape):
    """`plan.import`: the plan, and how the file was read."""

    plans: list[PlanMade]
    imported: LayerImported | TableImported
    load: LoadReport


class Exported(Shape):
    """`export`: what was written; the file is at `/api/exports/{id}`."""

    file: str
    rows: int
    bytes: int
    sha256: str
    crs: str | None
    media_type: str
    short_names: dict[str, str]
    notices: list[Both]
