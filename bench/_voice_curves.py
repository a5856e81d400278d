"""Curves of quality and delay over random loss, as SVG without any library."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench._voice import Row

COLOURS = {
    "wzp relay": "#8250df",
    "wzp direct": "#0969da",
    "libwebrtc": "#bf8700",
    "aiortc": "#cf222e",
    "baresip": "#1a7f37",
}
GOAL, AXIS = "#1f2328", "#8c959f"
WIDTH, HEIGHT, LEFT, TOP, GAP = 380, 300, 55, 46, 80
MOST_LOSS_PCT = 30.0
PESQ_FROM, PESQ_TO = 1.0, 4.6
DELAY_TO_MS = 300.0

Runs = Mapping[str, Mapping[str, Sequence[dict]]]
Point = tuple[float, float]


class _Panel:
    """A plot: loss to the right, something else upwards."""

    def __init__(self, left: float, low: float, high: float) -> None:
        self.left, self._low, self._high = left, low, high

    def frame(self, title: str, steps: Sequence[float]) -> list[str]:
        """Axes with figures."""
        bottom = TOP + HEIGHT
        parts = [
            f'<text x="{self.left}" y="{TOP - 14}" font-weight="bold">{title}</text>',
            f'<rect x="{self.left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" '
            f'fill="none" stroke="{AXIS}"/>',
        ]
        for step in steps:
            y = self.at((0, step))[1]
            parts.append(
                f'<line x1="{self.left}" y1="{y:.1f}" x2="{self.left + WIDTH}" '
                f'y2="{y:.1f}" stroke="{AXIS}" stroke-opacity="0.3"/>'
            )
            parts.append(
                f'<text x="{self.left - 8}" y="{y + 4:.1f}" '
                f'text-anchor="end">{step:g}</text>'
            )
        for loss in (0, 5, 10, 20, 30):
            x = self.at((loss, self._low))[0]
            parts.append(
                f'<text x="{x:.1f}" y="{bottom + 18}" '
                f'text-anchor="middle">{loss} %</text>'
            )
        return parts

    def at(self, point: Point) -> Point:
        """Return where a value is drawn."""
        loss, value = point
        share = (value - self._low) / (self._high - self._low)
        x = self.left + WIDTH * loss / MOST_LOSS_PCT
        return x, TOP + HEIGHT * (1 - min(max(share, 0.0), 1.0))

    def curve(self, points: Sequence[Point], colour: str, dashes: str = "") -> str:
        """Draw a line through them."""
        places = [self.at(point) for point in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dots = "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
            for x, y in places
        )
        return (
            f'<polyline points="{line}" fill="none" stroke="{colour}" '
            f'stroke-width="2" stroke-dasharray="{dashes}"/>{dots}'
        )


def draw(path: Path, rows: Sequence[Row], runs: Runs) -> None:
    """Write the picture; `runs` by stack, then by row."""
    lossy = [row for row in rows if row.pesq and not row.link.burst_packets]
    quality = _Panel(LEFT, PESQ_FROM, PESQ_TO)
    delay = _Panel(LEFT + WIDTH + GAP, 0.0, DELAY_TO_MS)
    width, height = delay.left + WIDTH + 20, TOP + HEIGHT + 62
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *quality.frame("PESQ-WB over random loss", (1, 2, 3, 4)),
        *delay.frame("added delay in ms over random loss", (0, 100, 200, 300)),
    ]
    goals = [(row.link.loss_pct, row.pesq or 0.0) for row in lossy]
    parts.append(quality.curve(goals, GOAL, "3 4"))
    for stack, by_row in runs.items():
        for panel, key in ((quality, "pesq"), (delay, "delay_ms")):
            points = _points(lossy, by_row, key)
            if points:
                parts.append(panel.curve(points, COLOURS[stack]))
    parts += _legend([*runs], TOP + HEIGHT + 44)
    path.write_text("\n".join([*parts, "</svg>", ""]))


def _points(
    rows: Sequence[Row], by_row: Mapping[str, Sequence[dict]], key: str
) -> list[Point]:
    points = []
    for row in rows:
        found = [run.get(key) for run in by_row[row.name]]
        lists = [each if isinstance(each, list) else [each] for each in found]
        values = [value for each in lists for value in each if value is not None]
        if values:
            points.append((row.link.loss_pct, statistics.median(values)))
    return points


def _legend(stacks: Sequence[str], y: float) -> list[str]:
    parts, x = [], float(LEFT)
    for name in (*stacks, "goal of wzp"):
        colour = COLOURS.get(name, GOAL)
        parts.append(
            f'<line x1="{x}" y1="{y - 4}" x2="{x + 22}" y2="{y - 4}" '
            f'stroke="{colour}" stroke-width="3"/>'
        )
        parts.append(f'<text x="{x + 28}" y="{y}">{name}</text>')
        x += 130
    return parts
