"""scikit-learn on the matrix of pca.rs, for the ratio: python pca.py [n_cells].

Measured with Python 3.11.7, scikit-learn 1.9.1, scipy 1.17.1, numpy 2.4.6.
"""

import sys
import time

import numpy as np
import scipy.sparse
from sklearn.decomposition import PCA

N_GENES = 2_000


def mix(state):
    """Outputs of splitmix64 for an array of counters."""
    z = (state + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def simulate(n_cells):
    rows = []
    j = np.arange(N_GENES, dtype=np.uint64)
    programme = np.arange(32, dtype=np.uint64)
    for i in range(n_cells):
        levels = mix(np.uint64(7_000_000_000 + 64 * i) + programme) % np.uint64(32)
        levels = levels * (np.uint64(40) - programme) // np.uint64(10)
        z = mix(np.uint64(i * N_GENES) + j)
        level = levels[j % np.uint64(32)]
        x = np.sqrt((np.uint64(1) + (z >> np.uint64(10)) % (np.uint64(2) + level)).astype(np.float32))
        rows.append(scipy.sparse.csr_matrix(np.where(z % np.uint64(1024) < 60 + level, x, 0)))
    return scipy.sparse.vstack(rows, format="csr").astype(np.float32)


n_cells = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
x = simulate(n_cells)
print(f"{n_cells} x {N_GENES}, {100 * x.nnz / n_cells / N_GENES:.1f} % nonzero")
for solver in ["arpack", "covariance_eigh"]:
    start = time.perf_counter()
    pca = PCA(n_components=50, svd_solver=solver).fit(x)
    seconds = time.perf_counter() - start
    variance = pca.explained_variance_
    print(f"{solver:16} {seconds:7.3f} s   {variance[0]:.12f} … {variance[49]:.12f}")
