"""One peer on one case, as its documentation recommends: one line of JSON. run.py calls it.

    python tests/bench/peers/theirs.py TASK PEER CASE OUT THREADS

Each runs on a small problem first, so that neither imports nor compilation are timed. Wall seconds
are of `perf_counter`, CPU seconds of `process_time`, that is of all threads.
"""

import json
import os
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")


class Case:
    def __init__(self, folder, out, threads):
        self.folder, self.out, self.threads = folder, out, threads
        with open(os.path.join(folder, "case.json")) as file:
            self.numbers = json.load(file)
        self.wall = self.cpu = 0.0

    def __getitem__(self, name):
        return self.numbers[name]

    def array(self, name):
        return np.load(os.path.join(self.folder, name + ".npy"))

    def write(self, **arrays):
        for name, values in arrays.items():
            np.save(os.path.join(self.out, name + ".npy"), np.asarray(values))

    def __enter__(self):
        self.start = time.perf_counter(), time.process_time()

    def __exit__(self, *_):
        self.wall += time.perf_counter() - self.start[0]
        self.cpu += time.process_time() - self.start[1]


def read(case, _):
    import anndata

    anndata.read_h5ad(os.path.join(case.folder, "small.h5ad"))
    with case:
        cells = anndata.read_h5ad(os.path.join(case.folder, "cells.h5ad"))
    x = cells.X
    total = by_row = by_column = 0.0
    for i in range(0, x.shape[0], 1000):
        part = x[i : i + 1000].astype(float)
        rows = np.asarray(part.sum(1)).ravel()
        total += rows.sum()
        by_row += rows @ np.arange(i + 1, i + 1 + len(rows))
        by_column += part.data @ (part.indices + 1.0)
    said = {"stored": int(x.nnz), "cells": len(cells.obs_names), "genes": len(cells.var_names)}
    said |= {"sum": total, "by_row": by_row, "by_column": by_column}
    return "anndata " + anndata.__version__, str(x.dtype), said


def pca(case, peer):
    from scipy import sparse

    parts = tuple(case.array(name) for name in ("data", "indices", "indptr"))
    x = sparse.csr_matrix(parts, shape=(case["n"], case["n_genes"]))
    small, k = x[:200, :100], case["n_pcs"]
    if peer == "scanpy":
        import scanpy as sc
        from anndata import AnnData

        version = "scanpy " + sc.__version__
        sc.pp.pca(AnnData(small), n_comps=10)
        cells = AnnData(x)
        with case:
            sc.pp.pca(cells, n_comps=k)
        loadings = cells.varm["PCs"]
    else:
        import sklearn
        from sklearn.decomposition import PCA

        version = f"scikit-learn {sklearn.__version__} {peer}"
        PCA(10, svd_solver=peer).fit_transform(small)
        with case:
            found = PCA(k, svd_solver=peer)
            found.fit_transform(x)
        loadings = found.components_.T
    case.write(loadings=loadings)
    return version, "f32" if loadings.dtype == np.float32 else "f64", {}


def knn(case, peer):
    x, k = case.array("points"), case["k"]
    if peer == "pynndescent":
        import pynndescent

        def search(points):
            # The numbers of trees and rounds that scanpy asks for; a point is its own first neighbour.
            n = len(points)
            trees, rounds = min(64, 5 + round(n**0.5 / 20)), max(5, round(np.log2(n)))
            index = pynndescent.NNDescent(
                points, n_neighbors=k + 1, n_trees=trees, n_iters=rounds, random_state=0, n_jobs=case.threads
            )
            return index.neighbor_graph[0]

        search(x[:3000])
        with case:
            found = search(x)
        own = found == np.arange(len(x))[:, None]
        own[~own.any(1), -1] = True
        found = found[~own].reshape(len(x), k)
        version, precision = "pynndescent " + pynndescent.__version__, "f32"
    else:
        import sklearn
        from sklearn.neighbors import NearestNeighbors

        def search(points):
            model = NearestNeighbors(n_neighbors=k, algorithm=peer, n_jobs=case.threads)
            return model.fit(points).kneighbors()[1]

        search(x[:500])
        with case:
            found = search(x)
        version, precision = f"scikit-learn {sklearn.__version__} {peer}", "f64"
    case.write(neighbours=found)
    return version, precision, {}


def sinkhorn(case, peer):
    if peer == "ott":
        return ott(case)
    import ot

    x, y, epsilon = case.array("source"), case.array("target"), case["epsilon"]
    # POT stops at a Euclidean norm: this much is at most `tolerance` as a sum.
    stop = case["tolerance"] / np.sqrt(len(y))

    def solve(x, y, most):
        a, b, cost = np.full(len(x), 1 / len(x)), np.full(len(y), 1 / len(y)), 0.5 * ot.dist(x, y)
        method = {"reg": epsilon, "method": peer, "numItermax": most, "stopThr": stop}
        return ot.sinkhorn(a, b, cost, log=True, warn=False, **method)[1]

    solve(x[:100], y[:100], 20)
    with case:
        log = solve(x, y, case["most"])
    if "log_u" in log:
        f, g = log["log_u"], log["log_v"]
    elif "logu" in log:
        f, g = log["logu"], log["logv"]
    else:
        with np.errstate(divide="ignore"):
            f, g = np.log(log["u"]), np.log(log["v"])
    f, g = (epsilon * (np.ravel(part) + np.log(len(part))) for part in (f, g))
    case.write(f=f, g=g)
    return f"POT {ot.__version__} {peer}", "f64", {"iterations": int(log.get("niter", -2)) + 1}


def ott(case):
    import jax

    jax.config.update("jax_enable_x64", True)
    import ott as package
    from ott.geometry import pointcloud
    from ott.problems.linear import linear_problem
    from ott.solvers.linear import sinkhorn as solvers

    x, y, epsilon = case.array("source"), case.array("target"), case["epsilon"]
    solver = solvers.Sinkhorn(threshold=case["tolerance"], max_iterations=case["most"])

    @jax.jit
    def solve(x, y):
        # Its cost is the squared distance: the same plan has twice our ε.
        cloud = pointcloud.PointCloud(x, y, epsilon=2 * epsilon)
        out = solver(linear_problem.LinearProblem(cloud))
        return out.f, out.g, out.n_iters

    # Compiled for these shapes; other numbers, so that nothing is taken over.
    jax.block_until_ready(solve(0.01 * x, 0.01 * y))
    with case:
        f, g, rounds = jax.block_until_ready(solve(x, y))
    f, g = np.asarray(f), np.asarray(g)
    case.write(f=0.5 * f + epsilon * np.log(len(x)), g=0.5 * g + epsilon * np.log(len(y)))
    said = {"iterations": int(rounds)}
    return f"OTT-JAX {package.__version__}, jax {jax.__version__}", str(f.dtype), said


def moscot(case, _):
    import jax
    import pandas as pd
    from anndata import AnnData
    from moscot import __version__
    from moscot.problems.time import TemporalProblem

    x, y = case.array("source"), case.array("target")
    # It compiles at every call. JAX tells how long that takes, but not how much CPU time.
    parts, listen = [], jax.monitoring.register_event_duration_secs_listener
    listen(lambda name, seconds, **_: parts.append((name, seconds)))
    stages = ("jaxpr_trace_duration", "jaxpr_to_mlir_module_duration", "backend_compile_duration")

    def solve(x, y, timed):
        obs = pd.DataFrame({"time": pd.Categorical(np.repeat([0.0, 1.0], [len(x), len(y)]))})
        obs.index = obs.index.astype(str)
        cells = AnnData(np.zeros((len(obs), 1), np.float32), obs=obs)
        cells.obsm["X_pca"] = np.concatenate([x, y])
        problem = TemporalProblem(cells).prepare("time", joint_attr="X_pca")
        # Its cost is the squared distance: twice our ε, and costs not divided by their mean.
        options = {"epsilon": 2 * case["epsilon"], "scale_cost": 1.0, "max_iterations": case["most"]}
        parts.clear()
        with timed:
            problem = problem.solve(threshold=case["tolerance"], **options)
            solution = problem[0.0, 1.0].solution
            jax.block_until_ready(solution._output.f)
        return solution, sum(seconds for name, seconds in parts if name.endswith(stages))

    solve(0.01 * x, 0.01 * y, Case(case.folder, case.out, 1))
    solution, compiling = solve(x, y, case)
    said = {"waited": case.wall}
    case.wall, case.cpu = max(case.wall - compiling, 0.0), None
    plan = np.asarray(solution.transport_matrix)
    case.write(plan=plan)
    return f"moscot {__version__}", str(plan.dtype), said


def exact(case, _):
    import ot

    x, y = case.array("source"), case.array("target")

    def solve(x, y, timed):
        a, b, cost = np.full(len(x), 1 / len(x)), np.full(len(y), 1 / len(y)), ot.dist(x, y)
        with timed:
            return ot.emd(a, b, cost, numItermax=10**8, numThreads=case.threads)

    solve(x[:50], y[:50], Case(case.folder, case.out, 1))
    plan = solve(x, y, case)
    rows, columns = np.nonzero(plan)
    case.write(plan=np.stack([rows, columns, plan[rows, columns]], axis=1))
    return f"POT {ot.__version__} emd", "f64", {}


def lightsb(case, _):
    from peer_networks import lightsb

    return lightsb(case)


def sf2m(case, _):
    from peer_networks import sf2m

    return sf2m(case)


def pipeline(case, _):
    from peer_pipeline import pipeline

    return pipeline(case)


TASKS = {
    "read": read, "pca": pca, "knn": knn, "sinkhorn": sinkhorn, "moscot": moscot, "exact": exact,
    "lightsb": lightsb, "sf2m": sf2m, "library": pipeline, "pipeline": pipeline,
}  # fmt: skip


def main():
    task, peer, folder, out, threads = sys.argv[1:]
    case = Case(folder, out, int(threads))
    try:
        version, precision, said = TASKS[task](case, peer)
    except ImportError as why:
        print(json.dumps({"missing": str(why)}))
        return
    precision = precision.replace("float", "f")
    line = {"wall": case.wall, "cpu": case.cpu, "version": version, "precision": precision, "said": said}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
