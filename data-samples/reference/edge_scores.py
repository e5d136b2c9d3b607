"""Scores of edge lists by scikit-learn and by BEELINE's rule of early precision.

Made with scikit-learn 1.9.1 and numpy 2.4.6: python3 edge_scores.py > edge_scores.csv
"""

import numpy as np
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score


def fractions(n, step, offset):
    place = (np.arange(n) + 1.0) * step + offset
    return place - np.floor(place)


def early(importance, present, k):
    rounded = np.round(importance, 6)
    order = np.sort(rounded)[::-1]
    best = max(order[k - 1], rounded[rounded > 0].min())
    taken = rounded >= best
    return present[taken].mean()


print("n,levels,share,auroc,average_precision,trapezoid,early_precision")
for n, levels, share in [(20, 0, 0.3), (200, 0, 0.1), (200, 5, 0.4), (1000, 50, 0.02), (35, 3, 0.6)]:
    importance = fractions(n, 0.6180339887, 0.0)
    if levels:
        importance = np.floor(importance * levels) / levels
    # Present where a number that has to do with the importance is large.
    mixed = 0.5 * importance + 0.5 * fractions(n, 0.4142135623, 0.3)
    present = (mixed >= np.sort(mixed)[n - int(share * n)]).astype(int)
    precision, recall, _ = precision_recall_curve(present, importance)
    numbers = [
        roc_auc_score(present, importance),
        average_precision_score(present, importance),
        auc(recall, precision),
        early(importance, present, present.sum()),
    ]
    print(",".join([str(n), str(levels), str(share)] + [f"{x:.15g}" for x in numbers]))
