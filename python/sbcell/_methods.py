"""The class of models, with the commands that read a model as methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from . import _annotate, _explain, _export, _fit, _networks, _predict
from ._model import BaseModel

if TYPE_CHECKING:
    from ._shared import Data


class Model(BaseModel):
    """A fitted model.

    :func:`sbcell.fit` makes it. A folder that an earlier `fit` wrote is opened with `Model(folder)`. All commands
    that read a model are methods: `model.fates(groupby="cell_type")` is `sbcell.fates(model, groupby="cell_type")`.

    Parameters
    ----------
    folder
        Folder of the model.
    adata
        The cells of the fit, if they are in memory only. The model keeps a weak reference, and reads the present
        columns of `obs` and embeddings of the object whenever a command uses them.

    Examples
    --------
    >>> import sbcell as sb
    >>> model = sb.fit("data-samples/semrau2017_mesc_ra.h5ad", timepoints="time", no_validation=True)
    >>> model
    Model of 2449 cells at 9 times, 4 dimensions
    >>> model.times[:3]
    [0.0, 6.0, 12.0]
    """

    # Predict.
    interpolate = _predict.interpolate
    sample = _predict.sample
    perturb = _predict.perturb
    velocity = _predict.velocity

    # Explain.
    fates = _explain.fates
    transitions = _explain.transitions
    trajectory = _explain.trajectory
    paths = _explain.paths
    trends = _explain.trends
    drivers = _explain.drivers
    compare = _networks.compare
    grn = _networks.grn

    # Draw and export.
    report = _export.report
    plot = _export.plot
    export = _export.export
    couplings = _export.couplings

    # Check.
    evaluate = _fit.evaluate
    diagnose = _explain.diagnose

    def annotate(self, data: Optional[Data] = None, **keywords: Any) -> Any:
        """Write times, velocities, growth and fates into an object or a file: see :func:`sbcell.annotate`.

        Without `data`, the object of the fit is changed.
        """
        from ._shared import object_of

        return _annotate.annotate(object_of(self, "annotate") if data is None else data, self, **keywords)
