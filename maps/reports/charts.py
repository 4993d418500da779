"""Small charts as SVG without text: words stand beside them, set by the page or the paper."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT = 1000.0, 190.0
BAR, LINE = "#0b6a6f", "#d5dde3"


def bars(values: Sequence[float]) -> str:
    """One bar for each value, from 0 to the largest, over three thin lines (none, half, all of it).

    >>> bars([1, 2]).count("<rect")
    2
    """
    most = max([*values, 1e-9])
    step = WIDTH / max(len(values), 1)
    gap = min(step * 0.15, 4.0)
    drawn = []
    for i, value in enumerate(values):
        tall = (HEIGHT - 4) * value / most
        drawn.append(
            f'<rect x="{i * step + gap / 2:.2f}" y="{HEIGHT - 1 - tall:.2f}" width="{step - gap:.2f}" '
            f'height="{tall:.2f}" fill="{BAR}"/>'
        )
    lines = "".join(
        f'<path d="M0 {y:.1f}H{WIDTH:.0f}" stroke="{LINE}" stroke-width="1.5"/>'
        for y in (3.0, (HEIGHT + 2) / 2, HEIGHT - 1)
    )
    box = f'viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" width="{WIDTH:.0f}" height="{HEIGHT:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>{lines}{"".join(drawn)}</svg>'
