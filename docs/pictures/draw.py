"""The pictures of METHODS.md, from what `cargo bench --bench geodesic` wrote.

python3 docs/pictures/draw.py [--png FOLDER]     (needs matplotlib)

Cells are drawn as an image inside the SVG, pairs and words as lines. With --png pictures are
written as PNG as well, to look at.
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams.update({
    "svg.hashsalt": "sbcell", "svg.fonttype": "path", "font.size": 11, "savefig.dpi": 85,
})
import matplotlib.pyplot as plt

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "target" / "geodesic-bench"

# Okabe and Ito: told apart by colour-blind readers, and in grey.
EARLIER, LATER, OTHER, PAIR = "#0072B2", "#E69F00", "#BBBBBB", "#222222"
TITLES = {
    "euclidean": "Euclidean: the straight line",
    "geodesic-path": "Geodesic: the shortest path",
    "geodesic-heat": "Geodesic: heat",
}


def rows(name):
    with open(DATA / name) as file:
        return list(csv.DictReader(file))


def draw(name, snapshots, words):
    cells, pairs = defaultdict(list), defaultdict(list)
    for row in rows(f"{name}_cells.csv"):
        cells[int(row["snapshot"])].append((float(row["x"]), float(row["y"])))
    for row in rows(f"{name}_pairs.csv"):
        ends = [float(row[key]) for key in ("from_x", "from_y", "to_x", "to_y")]
        pairs[row["cost"]].append(ends)
    figure, panels = plt.subplots(1, len(TITLES), figsize=(10.5, 4.1), layout="constrained")
    for panel, (cost, title) in zip(panels, TITLES.items()):
        for k, points in sorted(cells.items()):
            colour = {snapshots[0]: EARLIER, snapshots[1]: LATER}.get(k, OTHER)
            label = words.get(k)
            panel.scatter(*zip(*points), s=9, color=colour, linewidths=0, alpha=0.75,
                          rasterized=True, label=label)
        for x0, y0, x1, y1 in pairs[cost]:
            panel.plot([x0, x1], [y0, y1], color=PAIR, linewidth=0.8, alpha=0.8)
        panel.set_title(title, fontsize=12)
        panel.set_aspect("equal")
        panel.set_axis_off()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels) + 1,
                  frameon=False, markerscale=2.5)
    path = HERE / f"{name}.svg"
    figure.savefig(path, metadata={"Date": None})
    print(f"{path.name}: {path.stat().st_size // 1024} kB")
    if "--png" in sys.argv:
        folder = Path(sys.argv[sys.argv.index("--png") + 1])
        figure.savefig(folder / f"{name}.png")
    plt.close(figure)


draw("swiss_roll", (0, 1), {0: "cells, earlier", 1: "cells, later"})
draw("branches", (1, 2), {0: "first snapshot", 1: "second snapshot", 2: "third snapshot"})
