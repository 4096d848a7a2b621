"""Line charts as SVG, panels one below the other with a common time axis. Needs nothing but Python."""

import html
import math

COLOURS = ["#1764ab", "#c0392b", "#2e8540", "#8e44ad", "#b9770e", "#16a085", "#7f8c8d", "#d81b60"]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, GAP = 900, 210, 62, 14, 44, 34


def nice_step(span, count):
    raw = max(span, 1e-9) / count
    power = 10 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= raw)


class Panel:
    def __init__(self, label, top=None):
        self.label = label
        self.top = top
        self.lines = []

    def line(self, name, points, colour=None, dashed=False, step=False):
        if step:
            points = [p for a, b in zip(points, points[1:] + [points[-1]]) for p in (a, (b[0], a[1]))]
        self.lines.append((name, points, colour, dashed))


def chart(title, panels, end):
    height = TOP + len(panels) * (HEIGHT + GAP) + 10
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
           f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>',
           f'<text x="{LEFT}" y="20" font-size="15">{html.escape(title)}</text>']
    wide = WIDTH - LEFT - RIGHT
    for number, panel in enumerate(panels):
        base = TOP + number * (HEIGHT + GAP) + HEIGHT
        highest = panel.top or max((y for _, points, _, _ in panel.lines for _, y in points), default=1) * 1.05 or 1

        def place(x, y):
            return f"{LEFT + wide * x / end:.1f},{base - HEIGHT * min(y, highest) / highest:.1f}"

        step = nice_step(highest, 5)
        for i in range(int(highest / step) + 1):
            y = base - HEIGHT * i * step / highest
            out.append(f'<line x1="{LEFT}" x2="{LEFT + wide}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
                       f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{i * step:g}</text>')
        step = nice_step(end, 10)
        for i in range(int(end / step) + 1):
            x = LEFT + wide * i * step / end
            out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{base - HEIGHT}" y2="{base}" stroke="#eee"/>'
                       f'<text x="{x:.1f}" y="{base + 14}" text-anchor="middle">{i * step:g}</text>')
        out.append(f'<text x="{LEFT}" y="{base - HEIGHT - 6}">{html.escape(panel.label)}</text>')
        legend = LEFT + 150
        for index, (name, points, colour, dashed) in enumerate(panel.lines):
            colour = colour or COLOURS[index % len(COLOURS)]
            dash = ' stroke-dasharray="5 3"' if dashed else ""
            path = " ".join(place(x, y) for x, y in points)
            out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.3"{dash} points="{path}"/>')
            if len(panel.lines) <= 9:
                out.append(f'<text x="{legend}" y="{base - HEIGHT - 6}" fill="{colour}">{html.escape(name)}</text>')
                legend += 14 + 7 * len(name)
        out.append(f'<rect x="{LEFT}" y="{base - HEIGHT}" width="{wide}" height="{HEIGHT}" fill="none" stroke="#888"/>')
    out.append("</svg>\n")
    return "\n".join(out)
