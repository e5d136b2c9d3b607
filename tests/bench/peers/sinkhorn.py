"""POT's `sinkhorn_log` on the arrays that `cargo bench --bench sinkhorn` wrote.

python3 tests/bench/peers/sinkhorn.py N M DIM EPSILON [MOST_ITERATIONS [THREADS]]

Prints CPU seconds, iterations and both marginal errors (L1), recomputed from the plan. POT's cost
is the squared distance, so that its regularisation is twice ours.
"""

import os
import sys
import time

n, m, dim = map(int, sys.argv[1:4])
epsilon = float(sys.argv[4])
most = int(sys.argv[5]) if len(sys.argv) > 5 else 100_000
threads = sys.argv[6] if len(sys.argv) > 6 else "1"
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = threads

import numpy as np  # noqa: E402
import ot  # noqa: E402

folder = os.path.join(os.path.dirname(__file__), "../../../target/sinkhorn-bench")


def cells(side, rows):
    return np.fromfile(f"{folder}/{n}x{m}x{dim}.{side}").reshape(rows, dim)


a, b = np.full(n, 1 / n), np.full(m, 1 / m)
cost = ot.dist(cells("source", n), cells("target", m))
clock = time.process_time()
plan, log = ot.bregman.sinkhorn_log(
    a, b, cost, 2 * epsilon, numItermax=most, stopThr=1e-6, log=True, warn=False
)
seconds = time.process_time() - clock
errors = abs(plan.sum(1) - a).sum(), abs(plan.sum(0) - b).sum()
u, v = log["log_u"], log["log_v"]
# Potentials of the cost ½‖x−y‖² against the product of the marginals: the dual value.
dual = epsilon * (a @ (u - np.log(a)) + b @ (v - np.log(b)))
print(
    f"POT {ot.__version__} sinkhorn_log/{n}x{m},d={dim},eps={epsilon:g}: {seconds:.2f} CPU s, "
    f"{log['niter'] + 1} iterations, {seconds / (log['niter'] + 1):.4f} s each, errors "
    f"{errors[0]:.1e} {errors[1]:.1e}, dual {dual:.9f}"
)
