"""Schrödinger bridges for single-cell time courses.

This module calls the program `sbcell`, which is installed with it. Each command of the program is a function, and
each flag a keyword: `sbcell fates --groupby cell_type --at 96` is `sbcell.fates(model, groupby="cell_type", at=96)`.

>>> import sbcell as sb
>>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
>>> fates = model.fates(cells="data-samples/semrau2017_groups.csv", bootstrap=0)
>>> fates.columns[1:3].tolist()
['XEN', 'ectoderm']
"""

from __future__ import annotations

from . import interop
from ._annotate import annotate, strip
from ._binary import find_binary, package_version
from ._checks import doctor, verify
from ._errors import (
    BinaryNotFoundError,
    FailedError,
    InterruptedRunError,
    MemoryRefusedError,
    MissingPackageError,
    NotConvergedWarning,
    SbcellError,
    UnreadableError,
    UsageError,
    VersionMismatchWarning,
)
from ._explain import diagnose, drivers, fates, paths, trajectory, transitions, trends
from ._export import Picture, couplings, export, plot, report
from ._fit import Results, dry_run, evaluate, fit, inspect, run
from ._methods import Model
from ._networks import compare, grn, grn_score
from ._predict import interpolate, perturb, sample, velocity
from ._process import Answer

__version__ = package_version()

__all__ = [
    "Answer", "BinaryNotFoundError", "FailedError", "InterruptedRunError", "MissingPackageError", "Model",
    "MemoryRefusedError", "NotConvergedWarning", "Picture", "Results", "SbcellError", "UnreadableError", "UsageError",
    "VersionMismatchWarning", "annotate", "compare", "couplings", "diagnose", "doctor", "drivers", "dry_run", "evaluate",
    "export", "fates", "find_binary", "fit", "grn", "grn_score", "inspect", "interop", "interpolate", "paths",
    "perturb", "plot", "report", "run", "sample", "strip", "trajectory", "transitions", "trends", "velocity",
    "verify",
]  # fmt: skip
