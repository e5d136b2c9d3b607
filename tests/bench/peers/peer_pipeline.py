"""From a file to scores of held-out times with scanpy and POT, as one would write it. theirs.py imports this.

The counterpart of `sbcell evaluate --compare sinkhorn`: every inner time left out in turn; depth, genes,
components, scale and noise from the other times; entropic transport between the neighbouring times, every
earlier cell carried to the held-out time along the bridge of one pair.
"""

import os

import anndata
import numpy as np
import ot
import scanpy as sc

SAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../data-samples")
EPSILON = 0.1
DRAWS = 5


def coordinates(cells, fitted):
    """Components learnt on the cells of `fitted`, for all cells."""
    cells = cells.copy()
    depth = float(np.median(np.asarray(cells.X[fitted].sum(axis=1))))
    sc.pp.normalize_total(cells, target_sum=depth)
    sc.pp.log1p(cells)
    train = cells[fitted].copy()
    if train.n_vars > 2000:
        sc.pp.highly_variable_genes(train, n_top_genes=2000)
        train = train[:, train.var["highly_variable"]].copy()
    n_pcs = min(50, *train.shape)
    # Arpack, the default for sparse values, cannot give all components of so few genes.
    solver = {"svd_solver": "full"} if n_pcs == train.n_vars else {}
    x = np.asarray(train.X.todense() if hasattr(train.X, "todense") else train.X)
    train.X = x
    sc.pp.pca(train, n_comps=n_pcs, **solver)
    every = cells[:, train.var_names].X
    every = np.asarray(every.todense() if hasattr(every, "todense") else every)
    return (every - x.mean(axis=0)) @ train.varm["PCs"]


def carried(x, y, epsilon, share, rng):
    """Every cell of `x` at `share` of the way to a partner, with the noise of the bridge."""
    a, b = np.full(len(x), 1 / len(x)), np.full(len(y), 1 / len(y))
    # POT's default method and limit: here as near as `sinkhorn_log`, in a hundredth of the time.
    plan = ot.sinkhorn(a, b, 0.5 * ot.dist(x, y), epsilon, warn=False)
    edges = np.cumsum(plan / plan.sum(axis=1, keepdims=True), axis=1)
    partner = np.minimum((edges < rng.random((len(x), 1))).sum(axis=1), len(y) - 1)
    noise = np.sqrt(epsilon * share * (1 - share)) * rng.standard_normal(x.shape)
    return (1 - share) * x + share * y[partner] + noise


def energy(x, y):
    between, of_x, of_y = (ot.dist(*pair, metric="euclidean") for pair in ((x, y), (x, x), (y, y)))
    n, m = len(x), len(y)
    return 2 * between.mean() - of_x.sum() / (n * (n - 1)) - of_y.sum() / (m * (m - 1))


def w1(x, y, rng):
    """The mean over draws of one size, half of the held-out cells."""
    n, values = min(len(y) // 2, len(x), 1000), []
    for _ in range(DRAWS):
        pair = (cells[rng.choice(len(cells), n, replace=False)] for cells in (x, y))
        cost = ot.dist(*pair, metric="euclidean")
        values.append(ot.emd2([], [], cost, numItermax=10**7))
    return np.mean(values)


def evaluate(cells):
    """W1 and energy distance of the prediction at each inner time, and what F takes."""
    rng = np.random.default_rng(0)
    times = cells.obs["time"].to_numpy(dtype=float)
    distinct = np.unique(times)
    scores, before = [], []
    for start, time, end in zip(distinct, distinct[1:], distinct[2:]):
        fitted = times != time
        points = coordinates(cells, fitted)
        scale = points[fitted].std(axis=0).mean()
        steps = np.diff(distinct[distinct != time])
        epsilon = EPSILON * (end - start) / np.median(steps)
        x, y, z = (points[times == t].astype(float) for t in (start, end, time))
        share = (time - start) / (end - start)
        found = scale * carried(x / scale, y / scale, epsilon, share, rng)
        scores.append((w1(found, z, rng), energy(found, z)))
        before.append((x, z))
    return np.mean(scores, axis=0), before


def pipeline(case):
    small = anndata.read_h5ad(os.path.join(SAMPLE, "semrau2017_mesc_ra.h5ad"))
    small.X = small.layers["counts"]
    evaluate(small[::10].copy())
    with case:
        cells = anndata.read_h5ad(os.path.join(SAMPLE, "semrau2017_mesc_ra.h5ad"))
        cells.X = cells.layers["counts"]
        scores, before = evaluate(cells)
    rng = np.random.default_rng(1)
    nulls = np.mean([(w1(x, z, rng), energy(x, z)) for x, z in before], axis=0)
    said = {"w1": scores[0], "energy": scores[1], "w1_before": nulls[0], "energy_before": nulls[1]}
    return f"scanpy {sc.__version__}, POT {ot.__version__}", "f32, f64", said
