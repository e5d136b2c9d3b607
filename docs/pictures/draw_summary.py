"""The picture at the top of BENCHMARKS.md: sbcell and the best baseline, in the figures of the table beside it.

python3 docs/pictures/draw_summary.py     (no package needed)
"""

from pathlib import Path

OURS, OTHER, GREY, TEXT = "#0072b2", "#d55e00", "#e6e6e6", "#222222"
# Measure, direction, (name, value) of sbcell, (name, value) of the baseline, digits.
ROWS = [
    ("Populations, 20 held-out times: energy distance, of pooled neighbours", "less is better",
     ("sbcell", 0.84), ("pooled neighbours", 1.0), 2),
    ("Populations, embryoid bodies: W1", "less is better",
     ("sbcell", 0.717), ("metric flow matching (published)", 0.713), 3),
    ("Fates, forty simulated courses: correlation with sister cells", "more is better",
     ("sbcell", 0.52), ("entropic plan", 0.46), 2),
    ("Edges, nine simulated families: average precision", "more is better",
     ("sbcell", 0.81), ("lasso on lagged pairs", 0.67), 2),
    ("Edges, monocytes against RNAi: AUROC", "more is better",
     ("sbcell", 0.68), ("plain correlation", 0.68), 2),
    ("Entropic coupling, 2 000 × 2 000 cells, ε = 0.1 of the mean cost: seconds", "less is better",
     ("sbcell", 0.0433), ("POT", 0.0977), 3),
]
WIDTH, LEFT, BAR, STEP = 720, 16, 430, 74
HEIGHT = 16 + STEP * len(ROWS)

parts = []
for number, (measure, direction, ours, other, digits) in enumerate(ROWS):
    top = 22 + STEP * number
    largest = max(ours[1], other[1])
    parts.append(f'<text x="{LEFT}" y="{top}" font-weight="bold">{measure}</text>')
    parts.append(f'<text x="{WIDTH - LEFT}" y="{top}" text-anchor="end" fill="#666666">{direction}</text>')
    for line, ((name, value), colour) in enumerate(((ours, OURS), (other, OTHER))):
        y = top + 9 + 20 * line
        length = BAR * value / largest
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="14" fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + length + 6:.1f}" y="{y + 11.5}">{value:.{digits}f}  {name}</text>')
    if number:
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - LEFT}" y1="{top - 17}" y2="{top - 17}" stroke="{GREY}"/>')
picture = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
    f'font-family="Helvetica, Arial, sans-serif" font-size="12" fill="{TEXT}">\n'
    f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
)
path = Path(__file__).resolve().parent / "summary.svg"
path.write_text(picture)
print(f"{path.name}: {len(picture.encode())} bytes")
