"""Nearest neighbours and shortest paths of the points of ../knn.rs by scikit-learn and SciPy.

Run with two threads on both sides: python3 knn.py [n_cells]
"""
import sys
import time

import numpy as np
from scipy.sparse.csgraph import dijkstra
from sklearn.neighbors import NearestNeighbors

N = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
THREADS = 2


def mix(state):
    z = (state + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def points(n, dim):
    place = np.arange(n * dim, dtype=np.uint64).reshape(n, dim)
    parts = [mix(np.uint64(4) * place + np.uint64(p)) / 2.0**64 - 0.5 for p in range(4)]
    return (parts[0] + parts[1] + parts[2] + parts[3]) / np.sqrt(np.arange(1, dim + 1))


def timed(work):
    best = (np.inf, np.inf)
    for _ in range(3):
        start, before = time.perf_counter(), time.process_time()
        result = work()
        best = min(best[0], time.perf_counter() - start), min(best[1], time.process_time() - before)
    return result, best


for dim in [50, 5]:
    x = points(N, dim)
    for kind, data in [("float64", x), ("float32", x.astype(np.float32))]:
        for algorithm in ["brute", "kd_tree", "ball_tree"]:
            if dim == 50 and algorithm != "brute" and kind == "float32":
                continue
            model = NearestNeighbors(n_neighbors=15, algorithm=algorithm, n_jobs=THREADS)
            repeat = timed if dim == 5 or algorithm == "brute" else lambda f: (f(), None)
            start, before = time.perf_counter(), time.process_time()
            (found, best) = repeat(lambda: model.fit(data).kneighbors())
            if best is None:
                best = time.perf_counter() - start, time.process_time() - before
            print(f"{algorithm:<10} {kind} n={N},d={dim},k=15: {best[0]:7.3f} s, "
                  f"{best[1]:7.3f} s of CPU, checksum {found[0].sum():.9f}", flush=True)

x = points(N, 5)
graph = NearestNeighbors(n_neighbors=15, n_jobs=THREADS).fit(x).kneighbors_graph(mode="distance")
graph = graph.maximum(graph.T)
sources = np.arange(0, N, N // 200)
_, best = timed(lambda: dijkstra(graph, directed=False, indices=sources[:20]))
print(f"scipy dijkstra: {1e3 * best[1] / 20:.2f} ms of CPU for each source")
