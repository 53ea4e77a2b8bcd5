"""The ratios of a benchmark of speed, as an SVG chart that needs nothing to be shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from xpiler.bench.speed.cases import Measured, by_operator, geometric_mean

WIDTH, ROW, LEFT, RIGHT, TOP = 720, 18, 170, 40, 40
_RANGE = (1 / 16, 16.0)  # ratios beyond are drawn at the edge


def chart(cases: Sequence[Measured]) -> str:
    """A row an operator: a dot a shape, a bar to their geometric mean; logarithmic, 1 in the middle."""
    means = by_operator(cases)
    height = TOP + ROW * len(means) + 40
    rows = []
    for number, (name, mean) in enumerate(means.items()):
        y = TOP + ROW * number + ROW / 2
        own = [case for case in cases if case.operator == name and case.ratio is not None]
        low, high = sorted((_x(1.0), _x(mean)))
        colour = "#2a7" if mean >= 1 else "#c63"
        rows.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>')
        rows.append(
            f'<rect x="{low:.1f}" y="{y - 5:.1f}" width="{high - low:.1f}" height="10" fill="{colour}"/>'
        )
        for case in own:
            said = escape(f"{case.shape}: {case.ratio:.2f}")
            rows.append(
                f'<circle cx="{_x(case.ratio or 1.0):.1f}" cy="{y:.1f}" r="2" fill="#444">'
                f"<title>{said}</title></circle>"
            )
    lines = []
    for tick in (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16):
        x = _x(tick)
        label = f"{tick:g}" if tick >= 1 else f"1/{1 / tick:g}"
        stroke = "black" if tick == 1 else "#ccc"
        lines.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{height - 40}" stroke="{stroke}"/>')
        lines.append(f'<text x="{x:.1f}" y="{height - 22}" text-anchor="middle">{label}</text>')
    mean = geometric_mean(means.values())
    title = f"Speed relative to oneDNN (1 = equal, higher is better): geometric mean {mean:.2f}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="11">\n<title>{title}</title>\n<rect width="{WIDTH}" height="{height}" fill="white"/>\n'
        f'<text x="{LEFT}" y="20">{title}</text>\n' + "\n".join([*lines, *rows]) + "\n</svg>\n"
    )


def _x(ratio: float) -> float:
    low, high = (math.log(end) for end in _RANGE)
    place = (min(max(math.log(ratio), low), high) - low) / (high - low)
    return LEFT + place * (WIDTH - LEFT - RIGHT)
