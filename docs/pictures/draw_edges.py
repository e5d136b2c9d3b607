"""The picture of edges in docs/benchmarks/edges.md, from what `cargo bench --bench grn -- ablations` wrote.

python3 docs/pictures/draw_edges.py [--png FOLDER]     (needs matplotlib)
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams.update({"svg.hashsalt": "sbcell", "svg.fonttype": "path", "font.size": 11})
import matplotlib.pyplot as plt

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TIMES = {"8": 8, "6": 6, "5": 5, "4": 4, "every third": 3}
# Name in the table, words, colour (Okabe and Ito), style.
LINES = [
    ("ensemble", "ensemble", "#0072B2", "-"),
    ("snapshots only", "Hill, snapshots only", "#D55E00", "-"),
    ("linear instead of Hill functions", "linear, binned time", "#009E73", "-"),
    ("pairs at random", "pairs at random", "#E69F00", "--"),
    ("GENIE3", "GENIE3 (no time)", "#CC79A7", "-"),
    ("times permuted", "times permuted", "#777777", ":"),
    ("time reversed", "time reversed", "#000000", ":"),
]


def read():
    found = defaultdict(lambda: defaultdict(list))
    with open(ROOT / "target/grn-bench/ablations.csv") as file:
        for row in csv.DictReader(file):
            found[row["what"]][row["times"]].append(float(row["average_precision"]))
    with open(ROOT / "tests/bench/peers/genie3.csv") as file:
        for row in csv.DictReader(file):
            found["GENIE3"][row["times"]].append(float(row["average_precision"]))
    return found


found = read()
figure, panel = plt.subplots(figsize=(7.4, 4.4), layout="constrained")
for name, words, colour, style in LINES:
    points = [(n, sum(found[name][t]) / len(found[name][t])) for t, n in TIMES.items()]
    panel.plot(*zip(*points), style, color=colour, marker="o", markersize=4, label=words)
panel.set_xticks(sorted(TIMES.values()))
panel.invert_xaxis()
panel.set_xlabel("times kept of 8")
panel.set_ylabel("average precision, mean of 18 courses")
panel.set_ylim(0.3, 0.85)
panel.grid(axis="y", color="#e6e6e6")
for side in ("top", "right"):
    panel.spines[side].set_visible(False)
panel.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
path = HERE / "edges.svg"
figure.savefig(path, metadata={"Date": None})
print(f"{path.name}: {path.stat().st_size // 1024} kB")
if "--png" in sys.argv:
    figure.savefig(Path(sys.argv[sys.argv.index("--png") + 1]) / "edges.png")
