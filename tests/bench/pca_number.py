"""Rules for the number of principal components, on sample courses and on counts of known rank.

    python tests/bench/pca_number.py        (numpy, scipy, h5py; one minute on one core)

Prints the table of docs/decisions/0026-number-of-components.md.
"""

from pathlib import Path

import h5py
import numpy as np
import scipy.sparse as sp

SAMPLES = Path(__file__).parents[2] / "data-samples"
CHANCE = np.random.default_rng(0)


def spectrum(x):
    """Eigenvalues of the covariance, decreasing."""
    x = x - x.mean(0)
    return np.linalg.svd(x, compute_uv=False) ** 2 / (len(x) - 1)


def above(values, edge):
    """Number of leading values above an edge."""
    return int(np.cumprod(values > edge).sum())


def permuted(x):
    """Parallel analysis: the largest eigenvalue of permuted genes, of three permutations."""
    shuffled = lambda: np.stack([CHANCE.permutation(gene) for gene in x.T], 1)
    return above(spectrum(x), max(spectrum(shuffled())[0] for _ in range(3)))


def silverstein(variances, n):
    """Edge of the spectrum of independent genes with these variances, by bisection."""
    t = variances[variances > 0]
    low, high = 0.0, 1 / t.max()
    for _ in range(100):
        s = (low + high) / 2
        if ((t / (1 - t * s)) ** 2).sum() / n < 1 / s**2:
            low = s
        else:
            high = s
    return 1 / low + (t / (1 - t * low)).sum() / n


def deterministic(x):
    """Deterministic parallel analysis (Dobriban and Owen 2019)."""
    return above(spectrum(x), silverstein(x.var(0, ddof=1), len(x)))


def deflated(x):
    """The same after each component found is removed from the variances."""
    centred = x - x.mean(0)
    _, s, loadings = np.linalg.svd(centred, full_matrices=False)
    values, rest = s**2 / (len(x) - 1), x.var(0, ddof=1)
    for k in range(min(50, len(values) - 1)):
        if values[k] <= silverstein(np.maximum(rest, 0), len(x)):
            return k
        rest = rest - values[k] * loadings[k] ** 2
    return 50


def standardised(x):
    """Genes of variance one."""
    deviation = x.std(0, ddof=1)
    return x[:, deviation > 0] / deviation[deviation > 0]


def correlations(x):
    """Eigenvalues of the correlation matrix above the edge of Marchenko and Pastur (sbcell's rule)."""
    z = standardised(x)
    return above(spectrum(z), (1 + np.sqrt(z.shape[1] / (len(z) - 1))) ** 2)


def permuted_correlations(x):
    """Parallel analysis of the correlation matrix."""
    return permuted(standardised(x))


def median_of_law(beta):
    """Median of the law of Marchenko and Pastur."""
    a, b = (1 - np.sqrt(beta)) ** 2, (1 + np.sqrt(beta)) ** 2
    x = np.linspace(a, b, 200_001)[1:-1]
    mass = np.cumsum(np.sqrt((b - x) * (x - a)) / x)
    return x[np.searchsorted(mass, mass[-1] / 2)]


def gavish_donoho(x):
    """Hard threshold for equal noise of unknown size."""
    n, p = x.shape
    beta = min(n, p) / max(n, p)
    values = spectrum(x)[: min(n - 1, p)] * (n - 1) / max(n, p)
    noise = np.median(values) / median_of_law(beta)
    root = np.sqrt(beta**2 + 14 * beta + 1)
    return above(values, noise * (2 * (beta + 1) + 8 * beta / (beta + 1 + root)))


def biwhitened(counts):
    """Counts scaled so that Poisson noise has variance one on average in each row and column."""
    counts = counts[counts.sum(1) > 0][:, counts.sum(0) > 0]
    n, p = counts.shape
    variance, v = counts + 0.01 * counts.mean(), np.ones(p)
    for _ in range(500):
        u = p / (variance @ v)
        v = n / (variance.T @ u)
    scaled = np.sqrt(u)[:, None] * counts * np.sqrt(v)
    return above(np.linalg.svd(scaled, compute_uv=False), np.sqrt(n) + np.sqrt(p))


RULES = [permuted, deterministic, deflated, permuted_correlations, correlations, gavish_donoho]


def simulated(n, p, rank, depth, strength, dispersion):
    """Counts whose log means have a known rank, with depths that differ, Poisson or overdispersed."""
    chance = np.random.default_rng(0)
    base = chance.gamma(0.6, 1, p)
    factors, loadings = chance.normal(size=(n, rank)), chance.normal(size=(p, rank))
    loadings *= chance.random((p, rank)) < 0.2
    means = base * np.exp(0.35 * strength * factors @ loadings.T)
    means *= depth * np.exp(0.3 * chance.normal(size=(n, 1))) / means.sum(1, keepdims=True)
    if dispersion:
        means = means * chance.gamma(1 / dispersion, dispersion, means.shape)
    counts = chance.poisson(means).astype(float)
    return counts[:, counts.sum(0) > 0]


def log_scale(counts):
    """Counts at a common depth, and the logarithm."""
    depth = counts.sum(1, keepdims=True)
    return np.log1p(counts / depth * np.median(depth))


def table(item):
    """A dense array or matrix of a file."""
    if isinstance(item, h5py.Group):
        parts = (item["data"][:], item["indices"][:], item["indptr"][:])
        return sp.csr_matrix(parts, shape=item.attrs["shape"]).toarray().astype(float)
    return item[:].astype(float)


def row(label, x, counts=None):
    cells = [str(rule(x)) for rule in RULES]
    cells.append("–" if counts is None else str(biwhitened(counts)))
    print(f"| {label} |", " | ".join(cells), "|", flush=True)


def main():
    print("| data |", " | ".join(rule.__name__ for rule in [*RULES, biwhitened]), "|")
    print("|---" * (len(RULES) + 2) + "|")
    for name in ["semrau2017_mesc_ra", "chu2016_hesc_de", "kouno2013_thp1"]:
        with h5py.File(SAMPLES / f"{name}.h5ad") as file:
            x = table(file["X"])
            counts = table(file["layers/counts"]) if "layers/counts" in file else None
        row(f"{name.split('2')[0]}, {len(x)} × {x.shape[1]}", x, counts)
    for n, p, rank, depth, strength, dispersion in [
        (1500, 800, 0, 1500, 1, 0),
        (1500, 800, 0, 1500, 1, 0.5),
        (1500, 800, 5, 1500, 1, 0),
        (1500, 800, 5, 1500, 1, 0.3),
        (1500, 800, 15, 1500, 1, 0),
        (1500, 800, 15, 1500, 1, 0.3),
        (1500, 800, 15, 4000, 1, 0),
        (400, 1000, 5, 1500, 1, 0),
        (3000, 500, 5, 800, 0.5, 0.3),
    ]:
        counts = simulated(n, p, rank, depth, strength, dispersion)
        label = f"rank {rank}: {n} × {p}, depth {depth}, strength {strength}, dispersion {dispersion}"
        row(label, log_scale(counts), counts)


if __name__ == "__main__":
    main()
