"""Writes a synthetic course of three times with more cells than one shard of a fit: course.py FILE CELLS GENES"""

import sys

import h5py
import numpy as np

TIMES = 3


def main(path, n_cells, n_genes):
    draw = np.random.default_rng(1)
    times = np.repeat(np.arange(TIMES, dtype=np.float64), -(-n_cells // TIMES))[:n_cells]
    # Two programs of genes: one rises with time, one differs between cells of the same time.
    loadings = draw.normal(0, 0.8, (2, n_genes))
    states = np.stack([times - 1, draw.normal(size=n_cells)], axis=1)
    counts = draw.poisson(0.5 * np.exp(states @ loadings - 0.5)).astype(np.float32)
    entries = counts != 0
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        matrix = file.create_group("X")
        matrix.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": counts.shape})
        matrix["data"] = counts[entries]
        matrix["indices"] = np.nonzero(entries)[1].astype(np.int32)
        matrix["indptr"] = np.concatenate([[0], np.cumsum(entries.sum(axis=1))])
        frame(file, "obs", [f"c{k}" for k in range(n_cells)], {"time": times})
        frame(file, "var", [f"g{k}" for k in range(n_genes)], {})


def frame(file, name, index, columns):
    """Writes a table of AnnData."""
    table = file.create_group(name)
    table.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "_index"})
    table.attrs["column-order"] = np.array(list(columns), dtype=h5py.string_dtype())
    for key, values in {"_index": np.array(index, dtype="S"), **columns}.items():
        kind = h5py.string_dtype() if key == "_index" else None
        table.create_dataset(key, data=values, dtype=kind)


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
