"""Judges what one side found: the same formulas for both, in double precision. run.py calls it.

    python tests/bench/peers/judge.py TASK CASE OUT

OUT holds the arrays that the side wrote and its line of JSON, `line.json`. Prints one line of JSON:
a sentence for the table, and for LightSB the number that the other side has to reach.
"""

import json
import os
import sys
import zlib

import numpy as np


class Side:
    def __init__(self, case, out):
        self.case_folder, self.out = case, out
        self.case = json.load(open(os.path.join(case, "case.json")))
        line = json.load(open(os.path.join(out, "line.json")))
        self.said = line.get("said", {})

    def given(self, name):
        return np.load(os.path.join(self.case_folder, name + ".npy"))

    def found(self, name):
        return np.load(os.path.join(self.out, name + ".npy"))


def read(side):
    """Counts, and sums by row and column that are exact in any order."""
    names = ("stored", "cells", "genes", "sum", "by_row", "by_column")
    text = " ".join(str(int(side.said[name])) for name in names)
    return f"checksum {zlib.crc32(text.encode()):08x}, {side.said['stored']} values"


def pca(side):
    """The variance that the orthonormal span of the loadings holds, and how orthonormal they are."""
    from scipy import sparse

    n, genes = side.case["n"], side.case["n_genes"]
    parts = (side.given(name) for name in ("data", "indices", "indptr"))
    x = sparse.csr_matrix(tuple(parts), shape=(n, genes)).astype(float)
    loadings = side.found("loadings").astype(float)
    basis = np.linalg.qr(loadings)[0]
    scores = x @ basis - np.asarray(x.mean(0)) @ basis
    off = abs(loadings.T @ loadings - np.eye(loadings.shape[1])).max()
    return f"variance {(scores**2).sum() / (n - 1):.9g}, orthonormal to {off:.0e}"


def knn(side):
    """Recall: neighbours named that are no further than the true k-th (ties count)."""
    x, found, k = side.given("points"), side.found("neighbours").astype(np.int64), side.case["k"]
    norms, hits = (x**2).sum(1), 0
    for start in range(0, len(x), 500):
        rows = np.arange(start, min(start + 500, len(x)))
        squares = norms[rows, None] + norms - 2 * x[rows] @ x.T
        squares[np.arange(len(rows)), rows] = np.inf
        reach = np.partition(squares, k - 1, axis=1)[:, k - 1]
        of_found = np.take_along_axis(squares, found[rows], axis=1)
        hits += (of_found <= reach[:, None] * (1 + 1e-9)).sum()
    return f"recall {hits / found.size:.4f}"


def half_squares(x, y):
    return 0.5 * ((x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T)


def sinkhorn(side):
    """Of the plan p q exp((f + g − c)/ε), or of the plan itself: marginal error, primal and dual value."""
    x, y, epsilon = side.given("source"), side.given("target"), side.case["epsilon"]
    cost = half_squares(x, y)
    n, m = cost.shape
    if os.path.exists(os.path.join(side.out, "plan.npy")):
        plan = side.found("plan").astype(float)
        dual = None
    else:
        f, g = side.found("f").astype(float), side.found("g").astype(float)
        with np.errstate(over="ignore", invalid="ignore"):
            plan = np.exp((f[:, None] + g - cost) / epsilon) / (n * m)
        dual = f.mean() + g.mean() - epsilon * (plan.sum() - 1)
    error = abs(plan.sum(1) - 1 / n).sum() + abs(plan.sum(0) - 1 / m).sum()
    inside = plan[plan > 0]
    primal = (plan * cost).sum() + epsilon * (inside * np.log(inside * n * m)).sum()
    words = f"marginal error {error:.1e}, cost {(plan * cost).sum():.6f}, primal {primal:.8f}"
    if dual is not None:
        words += f", dual {dual:.8f}"
    if "waited" in side.said:
        words += f", {side.said['waited']:.2f} s with compilation"
    return words + (f", {side.said['iterations']} iterations" if "iterations" in side.said else "")


def exact(side):
    x, y, entries = side.given("source"), side.given("target"), side.found("plan")
    rows, columns, mass = entries[:, 0].astype(int), entries[:, 1].astype(int), entries[:, 2]
    cost = 2 * half_squares(x, y)[rows, columns] @ mass
    error = abs(np.bincount(rows, mass, len(x)) - 1 / len(x)).sum()
    error += abs(np.bincount(columns, mass, len(y)) - 1 / len(y)).sum()
    return f"cost {cost:.12g}, marginal error {error:.0e}"


def log_sum_exp(logs):
    top = logs.max(1, keepdims=True)
    return np.log(np.exp(logs - top).sum(1)) + top[:, 0]


def objective(mixture, x, y, epsilon):
    """E ln c(x) − E ln v(y) of a diagonal mixture `(ln α, r, S)` (LightSB, proposition 3.1)."""
    log_alpha, r, s = mixture
    log_c = ((x**2) @ s.T + 2 * x @ r.T) / (2 * epsilon) + log_alpha
    inverse = 1 / (epsilon * s)
    constant = log_alpha + 0.5 * (np.log(inverse / (2 * np.pi)) - r**2 * inverse).sum(1)
    log_v = y @ (r * inverse).T - 0.5 * (y**2) @ inverse.T + constant
    return log_sum_exp(log_c).mean() - log_sum_exp(log_v).mean()


def lightsb_value(side):
    """On the cells not fitted. Where the mixture lives about means, the linear part is added."""
    x, y, epsilon = side.given("source_test"), side.given("target_test"), side.case["epsilon"]
    a, b = side.found("source_mean"), side.found("target_mean")
    mixture = (side.found("log_alpha"), side.found("r"), side.found("s"))
    moved = ((x - a) @ b).mean() + ((y - b) @ a).mean() + a @ b
    return objective(mixture, x - a, y - b, epsilon) + moved / epsilon


def lightsb(side):
    words = f"objective on other cells {lightsb_value(side):.3f}, {side.said['iterations']} steps"
    return words + (f", best on the way {side.said['best']:.3f}" if "best" in side.said else "")


def energy_distance(x, y):
    """2 E‖X−Y‖ − E‖X−X'‖ − E‖Y−Y'‖, without bias."""
    from scipy.spatial.distance import cdist, pdist

    return 2 * cdist(x, y).mean() - pdist(x).mean() - pdist(y).mean()


def sf2m(side):
    value = energy_distance(side.found("pushed").astype(float), side.given("target_test"))
    floor = energy_distance(side.given("target"), side.given("target_test"))
    said = side.said
    words = (
        f"energy distance {value:.4f} (two samples of the target {floor:.4f}), loss of flow and score in "
        f"its own unit {said['flow_loss']:.3f}, {said['score_loss']:.3f}"
    )
    if "pairing_share" in said:
        words += f", {100 * said['pairing_share']:.0f} % of the time in its pairing of batches"
    return words


def pipeline(side):
    """Means over the held-out times; F is what the cells of the time before score."""
    said = side.said
    return (
        f"W1 {said['w1']:.3f}, energy {said['energy']:.4f} (F: {said['w1_before']:.3f}, "
        f"{said['energy_before']:.4f})"
    )


TASKS = {
    "read": read, "pca": pca, "knn": knn, "sinkhorn": sinkhorn, "moscot": sinkhorn, "exact": exact,
    "lightsb": lightsb, "sf2m": sf2m, "library": pipeline, "pipeline": pipeline,
}  # fmt: skip

if __name__ == "__main__":
    side = Side(sys.argv[2], sys.argv[3])
    line = {"words": TASKS[sys.argv[1]](side)}
    if sys.argv[1] == "lightsb":
        line["goal"] = lightsb_value(side)
    print(json.dumps(line))
