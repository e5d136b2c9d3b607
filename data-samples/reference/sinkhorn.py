"""Entropic plans by POT, for tests/reference/sinkhorn.rs.

`python3 sinkhorn.py` (POT 0.9.7, numpy 2.4) writes sinkhorn.csv: all entries of the plans between
12 and 15 points in two dimensions, by rows. Points and weights are the formulas below. POT's cost
is the squared distance, so that its regularisation and its penalties are twice those of sbcell.
"""

import numpy as np
import ot

i, j, d = np.arange(12)[:, None], np.arange(15)[:, None], np.arange(2)[None, :]
x = np.sin(1.3 * (2 * i + d + 1)) * 1.5
y = np.sin(0.7 * (2 * j + d + 1)) * 1.5 + 0.5
a, b = 1.0 + np.arange(12) % 4, 1.0 + np.arange(15) % 3
a, b = a / a.sum(), b / b.sum()
cost = ot.dist(x, y)

balanced = ot.bregman.sinkhorn_log(a, b, cost, 2 * 0.2, numItermax=100_000, stopThr=1e-15)
relaxed = ot.unbalanced.sinkhorn_unbalanced(
    a, b, cost, 2 * 0.2, (2 * 0.5, 2 * 5.0), reg_type="kl", numItermax=100_000, stopThr=1e-15
)
with open("sinkhorn.csv", "w") as file:
    file.write("source,target,balanced,relaxed\n")
    for i in range(12):
        for j in range(15):
            file.write(f"{i},{j},{balanced[i, j]:.17g},{relaxed[i, j]:.17g}\n")
