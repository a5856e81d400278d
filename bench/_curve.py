"""Curves as SVG, by hand: a few lines over a few points need no library."""

from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 360, 60, 50, 20, 150
COLOURS = ("#0b6e4f", "#b5532a", "#4b4e9e", "#8a6d00")


def curve(
    title: str,
    across: str,
    up: str,
    lines: Mapping[str, Sequence[tuple[float, float]]],
) -> str:
    """Return a drawing of lines through points (x, y), both from zero."""
    most_x = max(x for points in lines.values() for x, _ in points)
    most_y = max(100.0, *(y for points in lines.values() for _, y in points))

    def place(x: float, y: float) -> tuple[float, float]:
        right = LEFT + x / most_x * (WIDTH - LEFT - RIGHT)
        return right, HEIGHT - BOTTOM - y / most_y * (HEIGHT - BOTTOM - TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f"<title>{title}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = place(share * most_x, share * most_y)
        parts += [
            f'<path d="M{LEFT} {y:.0f}H{WIDTH - RIGHT}" stroke="#ddd"/>',
            f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">'
            f"{share * most_y:.0f}</text>",
            f'<text x="{x:.0f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">'
            f"{share * most_x:.0f}</text>",
        ]
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        placed = [place(x, y) for x, y in sorted(points)]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
        parts.append(
            f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
            for x, y in placed
        ]
        at_x, at_y = placed[-1]
        parts.append(
            f'<text x="{at_x + 8:.0f}" y="{at_y + 4:.0f}" fill="{colour}">{name}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts += [
        f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">{across}</text>',
        f'<text x="14" y="{HEIGHT / 2}" text-anchor="middle" '
        f'transform="rotate(-90 14 {HEIGHT / 2})">{up}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
