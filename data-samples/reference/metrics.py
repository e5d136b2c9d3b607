"""Makes metrics.csv: distances between clouds by POT and, for the energy distance, by scipy.

Run with `python metrics.py` in this folder. Made with python 3.11.7, numpy 2.4.6, scipy 1.17.1,
POT 0.9.7.post1. The clouds, weights and directions are formulas that `tests/reference/metrics.rs`
computes too: additive recurrences, equal to the last bit.
"""

import csv
import sys

import numpy as np
import ot
import scipy
from scipy.spatial.distance import cdist

STEPS = np.array([0.6180339887, 0.4142135623, 0.7320508075, 0.2360679774, 0.6457513110])


def fractions(n, dim, offset):
    """Numbers in [0, 1), one row for each point."""
    place = np.arange(1, n + 1)[:, None] * STEPS[:dim] + offset * np.arange(1, dim + 1)
    return place - np.floor(place)


def cloud(n, dim, offset):
    return fractions(n, dim, offset) * (1 + offset)


def grid(n, dim, offset):
    """Few different values: many ties and identical points."""
    return np.floor(fractions(n, dim, offset) * 3)


def uniform(n):
    return np.full(n, 1 / n)


def ramp(n):
    """Unequal weights with some zeros."""
    weights = (np.arange(n) % 5).astype(float)
    return weights / weights.sum()


def directions(dim, count):
    rows = fractions(count, dim, 0.11) - 0.5
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def energy(x, y, a, b):
    def within(z, w):
        return w @ cdist(z, z) @ w / (1 - w @ w)

    return 2 * (a @ cdist(x, y) @ b) - within(x, a) - within(y, b)


CASES = [
    ("cloud", 1, 200, 200, "uniform"),
    ("cloud", 2, 150, 150, "uniform"),
    ("cloud", 2, 100, 173, "uniform"),
    ("cloud", 5, 300, 300, "uniform"),
    ("cloud", 5, 211, 340, "ramp"),
    ("cloud", 3, 1, 60, "uniform"),
    ("grid", 3, 120, 120, "uniform"),
    ("grid", 3, 90, 130, "ramp"),
]

print("python", sys.version.split()[0], "numpy", np.__version__, "scipy", scipy.__version__, "POT", ot.__version__)
with open("metrics.csv", "w", newline="") as file:
    table = csv.writer(file, lineterminator="\n")
    table.writerow("points dim n m weights w1 w2 sliced_w1 sliced_w2 energy".split())
    for kind, dim, n, m, weights in CASES:
        make = {"cloud": cloud, "grid": grid}[kind]
        weigh = {"uniform": uniform, "ramp": ramp}[weights]
        x, y, a, b = make(n, dim, 0.0), make(m, dim, 0.377), weigh(n), weigh(m)
        w1 = ot.emd2(a, b, ot.dist(x, y, metric="euclidean"), numItermax=10**7)
        w2 = np.sqrt(ot.emd2(a, b, ot.dist(x, y, metric="sqeuclidean"), numItermax=10**7))
        along = directions(dim, 20).T
        sliced = [
            ot.sliced_wasserstein_distance(x, y, a, b, projections=along, p=p) for p in (1, 2)
        ]
        energies = energy(x, y, a, b) if min(n, m) > 1 else float("nan")
        values = [w1, w2, *sliced, energies]
        table.writerow([kind, dim, n, m, weights, *(repr(float(value)) for value in values)])
