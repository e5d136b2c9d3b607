"""Reference numbers for principal components, made by scikit-learn (full SVD in float64).

Made with Python 3.11.7, scikit-learn 1.9.1, numpy 2.4.6.
Run: python pca.py   (writes pca_*.csv beside this file)

The matrix comes from integer arithmetic and correctly rounded square roots, which
tests/reference/pca.rs repeats exactly.
"""

import csv
import pathlib

import numpy as np
from sklearn.decomposition import PCA

HERE = pathlib.Path(__file__).parent
MASK = (1 << 64) - 1


def mix(state):
    """One output of splitmix64 for the counter `state`."""
    z = (state + 1) * 0x9E3779B97F4A7C15 & MASK
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def matrix(n_cells, n_genes):
    """Roots of counts that follow ten programmes of decreasing strength, a fifth nonzero."""
    x = np.zeros((n_cells, n_genes), np.float32)
    for i in range(n_cells):
        for j in range(n_genes):
            z = mix(i * n_genes + j)
            programme = j % 10
            level = (mix(7_000_000 + 10 * i + programme) % 32) * (14 - programme) // 2
            if z % 1024 < 60 + level:
                x[i, j] = np.sqrt(np.float32(1 + (z >> 10) % (2 + level)))
    return x


def write(name, header, rows):
    with open(HERE / name, "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        out.writerows(rows)


def reference(name, x, n_pcs):
    pca = PCA(n_components=n_pcs, svd_solver="full").fit(x.astype(np.float64))
    total = x.astype(np.float64).var(axis=0, ddof=1).sum()
    write(
        f"pca_{name}_variance.csv",
        ["explained_variance", "explained_variance_ratio", "total_variance"],
        [
            [repr(float(v)), repr(float(r)), repr(float(total))]
            for v, r in zip(pca.explained_variance_, pca.explained_variance_ratio_)
        ],
    )
    write(
        f"pca_{name}_components.csv",
        [f"gene_{j}" for j in range(x.shape[1])],
        [[f"{value:.12e}" for value in row] for row in pca.components_],
    )
    print(name, "nonzero", (x > 0).mean(), pca.explained_variance_)


reference("tall", matrix(300, 120), 10)
reference("wide", matrix(60, 150), 10)
