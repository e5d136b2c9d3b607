"""Reads X of .h5ad files with h5py and scipy, as read_h5ad.rs does: python read_h5ad.py FILE…

Measured with h5py 3.16.0 (HDF5 2.0.0), scipy and numpy 2.4.6 on Python 3.11.
"""

import sys
import time

import h5py
import numpy as np
from scipy import sparse


def read(path):
    with h5py.File(path, "r") as file:
        x = file["X"]
        if isinstance(x, h5py.Dataset):
            return x[()]
        parts = x["data"][()], x["indices"][()], x["indptr"][()]
        matrix = sparse.csr_matrix(parts, shape=tuple(x.attrs["shape"]))
        matrix.has_sorted_indices  # checks the order, as our reader does
        return matrix


for path in sys.argv[1:]:
    fastest = np.inf
    for _ in range(5):
        start = time.perf_counter()
        matrix = read(path)
        fastest = min(fastest, time.perf_counter() - start)
    values = matrix.nnz * 8 if sparse.issparse(matrix) else matrix.size * 4
    print(f"{path}: {values / 1e6:.0f} MB of values in {fastest:.3f} s, {values / 1e6 / fastest:.0f} MB/s")
