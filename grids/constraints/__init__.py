"""What a plan must keep: complete, contiguous, nested, within its bands, properly coded; said in two languages.

    violations(partition, codes, "strict", "beijing-15")                       # the ground alone
    violations(partition, codes, "strict", "beijing-15", beside=Beside(...))    # with bands, locks and older codes

On a draft violations are advice. At approval they are a wall, unless an exception with a reason is recorded for that rule
and grid (`grids.exceptions`); what is in `NEVER_EXCEPTED` stays a wall whatever the reason. Rules in `ADVICE` only tell.
"""

from __future__ import annotations

from collections.abc import Sequence

from grids.constraints import codes, ground, holding
from grids.constraints.violation import ADVICE, NEVER_EXCEPTED, RULES, Beside, Violation
from grids.partition import Partition

__all__ = ["ADVICE", "NEVER_EXCEPTED", "RULES", "Beside", "Violation", "violations"]

NOTHING_BESIDE = Beside()


def violations(
    partition: Partition,
    grid_codes: Sequence[str],
    nesting: str,
    template: str,
    *,
    beside: Beside = NOTHING_BESIDE,
    final: Sequence[str] | None = None,
) -> list[Violation]:
    """Every broken rule of a plan, and advice; `nesting`: strict, soft or free (only strict makes crossing a wall).

    `final` are the codes that the grids will have when approved (default: as they are); rules about codes look at them.
    """
    given = grid_codes if final is None else final
    return [
        *ground.open_units(partition),
        *ground.empty_grids(partition, grid_codes),
        *ground.apart(partition, grid_codes),
        *ground.several_parts(partition, grid_codes),
        *(ground.crossing(partition, grid_codes) if nesting == "strict" else []),
        *holding.bands(partition, grid_codes, beside),
        *holding.thin(partition, grid_codes, beside),
        *holding.locked(partition, grid_codes, beside),
        *codes.twice(given),
        *codes.prefix(partition, given, template),
        *codes.retired(given, beside),
    ]
