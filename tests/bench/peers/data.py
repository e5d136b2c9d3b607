"""Makes the arrays of one case: `.npy` files and the numbers of `case.json`. run.py calls it.

    python tests/bench/peers/data.py TASK FOLDER '{"n": 2000, …}'

The same arguments give the same arrays.
"""

import json
import os
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../../..")


def save(folder, **arrays):
    for name, values in arrays.items():
        np.save(os.path.join(folder, name + ".npy"), np.ascontiguousarray(values))


def read(folder, case):
    """The matrix of the large benches, and a small one to warm up with."""
    script = os.path.join(HERE, "../scale/make_cells.py")
    for name, n, genes in (("cells", case["n"], case["n_genes"]), ("small", 50, 500)):
        words = [os.path.join(folder, name + ".h5ad"), str(n), str(genes), "8"]
        gzip = ["gzip"] if case["gzip"] else []
        subprocess.run([sys.executable, script, *words, *gzip], check=True)
    return {}


def pca(folder, case):
    """Logarithms of Poisson counts whose rates follow 32 programmes, about a tenth nonzero."""
    from scipy import sparse

    rng = np.random.default_rng(0)
    n, genes, blocks = case["n"], case["n_genes"], []
    base = rng.lognormal(-3.0, 1.2, genes)
    programmes = rng.normal(0.0, 1.0, (32, genes)) * (rng.random((32, genes)) < 0.15)
    strength = 1.5 / np.sqrt(1 + np.arange(32))
    for start in range(0, n, 1000):
        levels = rng.normal(0.0, 1.0, (min(1000, n - start), 32)) * strength
        rates = base * np.exp(np.clip(levels @ programmes, -4, 4))
        blocks.append(sparse.csr_matrix(np.log1p(rng.poisson(rates)).astype(np.float32)))
    x = sparse.vstack(blocks, format="csr")
    x.sort_indices()
    save(folder, data=x.data, indices=x.indices.astype(np.int32), indptr=x.indptr.astype(np.int64))
    return {"filled": round(x.nnz / n / genes, 4)}


def knn(folder, case):
    """Points with the spectrum of principal components."""
    rng = np.random.default_rng(1)
    save(folder, points=rng.normal(size=(case["n"], case["dim"])) / np.sqrt(1 + np.arange(case["dim"])))
    return {}


def snapshots(n, dim):
    """Two snapshots with variances as 1/k, mean deviation 1; the second moved on in three branches."""
    rng = np.random.default_rng(2)
    deviations = 1 / np.sqrt(1 + np.arange(dim))
    deviations /= deviations.mean()
    source, target = (width * rng.normal(size=(n, dim)) * deviations for width in (1.0, 0.8))
    target[:, :2] += np.array([[2.0, 0.0], [-0.5, 2.0], [0.5, -1.0]])[np.arange(n) % 3]
    return source, target


def sinkhorn(folder, case):
    """ε is a share of the mean of ½‖x−y‖²."""
    source, target = snapshots(case["n"], case["dim"])
    save(folder, source=source, target=target)
    second = [(points**2).sum(1).mean() for points in (source, target)]
    mean_cost = 0.5 * (second[0] + second[1]) - source.mean(0) @ target.mean(0)
    return {"epsilon": case["share"] * mean_cost}


def exact(folder, case):
    source, target = snapshots(case["n"], case["dim"])
    save(folder, source=source, target=target)
    return {}


def simulated_pair(n, dim):
    """A mixture of eight Gaussians and what a random nonlinear map makes of other cells of it."""
    rng = np.random.default_rng(3)
    spectrum = 5.0 * (0.3 / 5.0) ** (np.arange(dim) / (dim - 1))
    centres = rng.normal(size=(8, dim)) * spectrum
    inside = (0.3 + 0.3 * abs(rng.normal(size=(8, dim)))) * spectrum

    def draw():
        part = rng.integers(0, 8, n)
        return centres[part] + rng.normal(size=(n, dim)) * inside[part]

    source, before = draw(), draw()
    mixing, bends = (rng.normal(size=(dim, dim)) / np.sqrt(dim) for _ in range(2))
    target = before + np.sin(before @ mixing / 2) @ bends * spectrum * 1.5 + 0.3 * spectrum
    scale = 0.5 * (source.std(0).mean() + target.std(0).mean())
    return source / scale, target / scale


def embryoid(day):
    """Two neighbouring samples of the embryoid course, in random order."""
    import h5py

    with h5py.File(os.path.join(ROOT, "data-samples/moon2019_embryoid_5pcs.h5ad")) as file:
        points, times = file["obsm/X_pca"][()].astype(float), file["obs/time"][()]
    rng = np.random.default_rng(4)
    return [rng.permutation(points[times == t]) for t in np.unique(times)[day : day + 2]]


def halves(folder, case):
    """Every second cell to fit, the others to judge by."""
    if case["data"] == "embryoid":
        source, target = embryoid(0)
    else:
        source, target = simulated_pair(2 * case["n"], case["dim"])
    for name, cells in (("source", source), ("target", target)):
        save(folder, **{name: cells[::2], name + "_test": cells[1::2]})
    return {"n": len(source[::2]), "m": len(target[::2]), "dim": source.shape[1]}


TASKS = {
    "read": read, "pca": pca, "knn": knn, "sinkhorn": sinkhorn, "moscot": sinkhorn, "exact": exact,
    "lightsb": halves, "sf2m": halves, "library": lambda folder, case: {},
    "pipeline": lambda folder, case: {},
}  # fmt: skip

if __name__ == "__main__":
    task, folder, case = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    case.update(TASKS[task](folder, case))
    with open(os.path.join(folder, "case.json"), "w") as file:
        json.dump(case, file)
