"""The best time over the trials, as an SVG chart that needs nothing to be shown."""

from __future__ import annotations

from xml.sax.saxutils import escape

from xpiler.tuning.tune import Tuned

WIDTH, HEIGHT, MARGIN = 640, 320, 48


def curve(tuned: Tuned) -> str:
    """Points are trials, the line is the best so far, the dashed one the limit of the device; the vertical
    axis is time, from zero."""
    times = [trial.seconds for trial in tuned.trials]
    valid = [time for time in times if time is not None]
    top = max(valid, default=1.0) * 1e6
    step = (WIDTH - 2 * MARGIN) / max(1, len(times) - 1)

    def place(number: int, seconds: float) -> tuple[float, float]:
        return MARGIN + number * step, HEIGHT - MARGIN - seconds * 1e6 / top * (HEIGHT - 2 * MARGIN)

    dots, line, best = [], [], float("inf")
    for number, time in enumerate(times):
        if time is None:
            continue
        x, y = place(number, time)
        dots.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="#888"/>')
        best = min(best, time)
        line.append("{:.1f},{:.1f}".format(*place(number, best)))
    limit = ""
    if tuned.line.limit is not None:
        y = place(0, min(tuned.line.limit.seconds, top / 1e6))[1]
        bound = f"limit: {tuned.line.limit.seconds * 1e6:.1f} us, {tuned.line.limit.bound}"
        limit = (
            f'<line x1="{MARGIN}" y1="{y:.1f}" x2="{WIDTH - MARGIN}" y2="{y:.1f}" stroke="#2a7" '
            f'stroke-dasharray="5 3"/>\n<text x="{WIDTH - MARGIN}" y="{y - 4:.1f}" text-anchor="end" '
            f'fill="#2a7">{escape(bound)}</text>'
        )
    said = "estimated, nothing was measured; " if tuned.estimated else ""
    title = escape(f"{said}{tuned.device.fingerprint}: {tuned.gain:.2f} times as fast as the default")
    font = 'font-family="sans-serif" font-size="12"'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {font}>
<title>{title}</title>
<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>
<line x1="{MARGIN}" y1="{HEIGHT - MARGIN}" x2="{WIDTH - MARGIN}" y2="{HEIGHT - MARGIN}" stroke="black"/>
<line x1="{MARGIN}" y1="{MARGIN}" x2="{MARGIN}" y2="{HEIGHT - MARGIN}" stroke="black"/>
<text x="{MARGIN}" y="{MARGIN - 12}">{title}</text>
<text x="{MARGIN - 6}" y="{MARGIN + 4}" text-anchor="end">{top:.0f} us</text>
<text x="{MARGIN - 6}" y="{HEIGHT - MARGIN}" text-anchor="end">0</text>
<text x="{WIDTH - MARGIN}" y="{HEIGHT - MARGIN + 18}" text-anchor="end">{len(times)} trials</text>
{limit}
{"".join(dots)}
<polyline points="{" ".join(line)}" fill="none" stroke="#0066cc" stroke-width="2"/>
</svg>
"""
