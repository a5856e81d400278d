"""A picture of every kind of NAT against every kind, as SVG without any library."""

from collections.abc import Mapping, Sequence
from pathlib import Path

CELL, LEFT, TOP, RIGHT = 46, 210, 170, 90
STEPS = (
    (250, "#57ab5a", "within 250 ms"),
    (1000, "#b3d9a0", "within 1 s"),
    (float("inf"), "#e8c268", "later"),
)
RELAY, NOTHING = "#b8bfc9", "#ffffff"


def draw(path: Path, kinds: Sequence[str], runs: Mapping[str, Sequence[dict]]) -> None:
    """Write the picture; `runs` by "a+b", one or several runs each."""
    size = (LEFT + CELL * len(kinds) + RIGHT, TOP + CELL * len(kinds) + 60)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" '
        f'height="{size[1]}" font-family="sans-serif" font-size="12">',
        f'<rect width="{size[0]}" height="{size[1]}" fill="#ffffff"/>',
    ]
    for n, kind in enumerate(kinds):
        at = TOP + CELL * n + CELL // 2 + 4
        parts.append(f'<text x="{LEFT - 8}" y="{at}" text-anchor="end">{kind}</text>')
        across = LEFT + CELL * n + CELL // 2 + 4
        parts.append(
            f'<text transform="translate({across},{TOP - 8}) rotate(-60)">{kind}</text>'
        )
    for n, a in enumerate(kinds):
        for m, b in enumerate(kinds):
            found = runs.get(f"{a}+{b}") or runs.get(f"{b}+{a}") or []
            parts += _cell(LEFT + CELL * m, TOP + CELL * n, found)
    parts += _legend(TOP + CELL * len(kinds) + 22)
    path.write_text("\n".join([*parts, "</svg>", ""]))


def _cell(x: int, y: int, runs: Sequence[dict]) -> list[str]:
    times = [run.get("time_to_direct_ms") for run in runs]
    direct = sorted(time for time in times if time)
    if not runs:
        fill, words = NOTHING, ""
    elif not direct:
        silent = runs[0].get("first_audio_ms") is None
        fill, words = RELAY, "none" if silent else "relay"
    else:
        median = direct[len(direct) // 2]
        fill = next(colour for limit, colour, _ in STEPS if median <= limit)
        words = f"{median:.0f}"
    return [
        f'<rect x="{x}" y="{y}" width="{CELL - 2}" height="{CELL - 2}" fill="{fill}"/>',
        f'<text x="{x + CELL // 2 - 1}" y="{y + CELL // 2 + 3}" text-anchor="middle" '
        f'fill="#1f2328">{words}</text>',
    ]


def _legend(y: int) -> list[str]:
    parts, x = [f'<text x="10" y="{y + 11}">ms to direct:</text>'], 100
    for _, colour, words in (*STEPS, (0, RELAY, "by relay")):
        parts.append(f'<rect x="{x}" y="{y}" width="14" height="14" fill="{colour}"/>')
        parts.append(f'<text x="{x + 20}" y="{y + 11}">{words}</text>')
        x += 120
    return parts
