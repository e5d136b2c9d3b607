"""The picture of samples in METHODS.md, from what `cargo bench --bench sample -- shapes` wrote.

python3 docs/pictures/draw_samples.py [--png FOLDER]     (needs matplotlib)
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
DATA = HERE.parent.parent / "target" / "sample-bench" / "shapes.csv"

# Okabe and Ito: told apart by colour-blind readers, and in grey.
CELLS, DRAWS = "#BBBBBB", "#0072B2"
TITLES = {
    "cells": "cells",
    "langevin-4": "langevin",
    "split-step-4": "split-step",
    "corrected-4": "corrected",
    "matched-4": "matched",
}

points = defaultdict(list)
with open(DATA) as file:
    for row in csv.DictReader(file):
        points[row["shape"], row["from"]].append((float(row["x"]), float(row["y"])))

figure, panels = plt.subplots(2, len(TITLES), figsize=(11.5, 4.9), layout="constrained")
for panels_of, shape in zip(panels, ("ring", "roll")):
    for panel, (source, title) in zip(panels_of, TITLES.items()):
        panel.scatter(*zip(*points[shape, "cells"]), s=4, color=CELLS, linewidths=0,
                      rasterized=True)
        if source != "cells":
            panel.scatter(*zip(*points[shape, source]), s=4, color=DRAWS, linewidths=0, alpha=0.8,
                          rasterized=True)
        reach = 1.45 if shape == "ring" else 1.25
        panel.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        panel.set_axis_off()
        if shape == "ring":
            panel.set_title(title, fontsize=12)
path = HERE / "samples.svg"
figure.savefig(path, metadata={"Date": None})
print(f"{path.name}: {path.stat().st_size // 1024} kB")
if "--png" in sys.argv:
    folder = Path(sys.argv[sys.argv.index("--png") + 1])
    figure.savefig(folder / "samples.png")
