"""Makes a time course of any size as a sparse `.h5ad`: cells of one kind become one of six over the times;
each kind mixes forty programs of genes. Written block by block; memory stays below 1 GB.

    python tests/bench/scale/make_cells.py OUT.h5ad N_CELLS [N_GENES] [N_TIMES] [gzip]

About 5 % of the values are stored, as whole numbers in single precision with 32-bit indices, rows in
random order of time. The same arguments give the same cells.
"""

import sys

import h5py
import numpy as np

N_PROGRAMS = 40
N_KINDS = 6
FILLED = 0.05
BLOCK = 4096


def programs(rng, n_genes):
    """One distribution over genes for each program: a common one, one gene of 200 raised."""
    common = rng.lognormal(0.0, 1.0, n_genes)
    weights = np.tile(common, (N_PROGRAMS, 1))
    for row in weights:
        row[rng.choice(n_genes, n_genes // 200, replace=False)] *= rng.lognormal(4.5, 0.3)
    return np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)


def mixtures(rng, times):
    """How much of each program each cell has: along a branch, with the noise of single cells."""
    corners = np.random.default_rng(7).dirichlet(np.full(N_PROGRAMS, 0.08), 1 + N_KINDS)
    branch = 1 + rng.integers(0, N_KINDS, len(times))
    along = np.clip(times + rng.normal(0.0, 0.12, len(times)), 0.0, 1.0)[:, None]
    return ((1 - along) * corners[0] + along * corners[branch]) * rng.gamma(
        20.0, 1.0 / 20.0, (len(times), N_PROGRAMS)
    )


def draw_genes(rng, share, table, n_draws):
    """`n_draws` genes for each cell: first a program, then a gene of it."""
    cells = len(share)
    edges = np.cumsum(share, axis=1)
    edges /= edges[:, -1:]
    at = rng.random((cells, n_draws))
    shift = np.arange(cells)[:, None]
    program = np.searchsorted((edges + shift).ravel(), (at + shift).ravel()) - np.repeat(
        np.arange(cells) * N_PROGRAMS, n_draws
    )
    program = np.minimum(program, N_PROGRAMS - 1)
    # A table of equal steps stands for the inverse of each distribution.
    step = (rng.random(cells * n_draws) * table.shape[1]).astype(np.int64)
    return table[program, step].reshape(cells, n_draws)


def main():
    out, n_cells = sys.argv[1], int(sys.argv[2])
    n_genes = int(sys.argv[3]) if len(sys.argv) > 3 else 20_000
    n_times = int(sys.argv[4]) if len(sys.argv) > 4 else 8
    compression = "gzip" if "gzip" in sys.argv[5:] else None
    edges = programs(np.random.default_rng(1), n_genes)
    steps = (np.arange(1 << 18) + 0.5) / (1 << 18)
    table = np.stack([np.searchsorted(row, steps) for row in edges]).astype(np.int32)
    table = np.minimum(table, n_genes - 1)
    days = np.random.default_rng(3).integers(0, n_times, n_cells)
    n_draws = int(FILLED * n_genes * 1.2)

    with h5py.File(out, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        x = file.create_group("X")
        x.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        x.attrs["shape"] = np.array([n_cells, n_genes], dtype=np.int64)
        chunk = 1 << 18
        options = dict(shape=(0,), maxshape=(None,), chunks=(chunk,), compression=compression)
        data = x.create_dataset("data", dtype="f4", **options)
        indices = x.create_dataset("indices", dtype="i4", **options)
        indptr = np.zeros(n_cells + 1, dtype=np.int64)
        waiting, length, end = [], 0, 0

        def flush():
            nonlocal waiting, length, end
            if not waiting:
                return
            columns, values = (np.concatenate(part) for part in zip(*waiting))
            for dataset, part in ((data, values), (indices, columns)):
                dataset.resize((end + len(part),))
                dataset[end:] = part
            end += len(columns)
            waiting, length = [], 0

        for start in range(0, n_cells, BLOCK):
            rng = np.random.default_rng([11, start])
            times = days[start : start + BLOCK] / (n_times - 1)
            genes = draw_genes(rng, mixtures(rng, times), table, n_draws)
            genes.sort(axis=1)
            first = np.ones(genes.shape, dtype=bool)
            first[:, 1:] = genes[:, 1:] != genes[:, :-1]
            columns = genes[first]
            values = np.diff(np.flatnonzero(first), append=first.size)
            indptr[start + 1 : start + 1 + len(times)] = first.sum(axis=1)
            waiting.append((columns.astype(np.int32), values.astype(np.float32)))
            length += len(columns)
            if length > 1 << 24:
                flush()
        flush()
        x.create_dataset("indptr", data=np.cumsum(indptr))

        text = h5py.string_dtype()
        for name, n, stem, columns in (("obs", n_cells, "cell", ["day"]), ("var", n_genes, "gene", [])):
            frame = file.create_group(name)
            frame.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0"})
            frame.attrs["_index"] = "_index"
            frame.attrs.create("column-order", np.array(columns, dtype=object), dtype=text)
            index = frame.create_dataset(
                "_index", data=np.array([f"{stem}{i}" for i in range(n)], dtype=object), dtype=text
            )
            index.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
            if columns:
                day = frame.create_dataset("day", data=days.astype(np.int64))
                day.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        for array in (data, indices, x["indptr"]):
            array.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})


main()
