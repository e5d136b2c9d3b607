"""Hand-over to CellRank and moscot."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import sbcell as sb


def test_plans_for_moscot(model: sb.Model, course: Any) -> None:
    plans = sb.interop.to_moscot(model)
    tables = model.couplings(format="moscot", least=0) if find_spec("pyarrow") else {}
    for (earlier, later), plan in plans.items():
        assert set(plan.obs_names) == set(course.obs_names[course.obs["time"] == earlier])
        assert plan.X.sum() == pytest.approx(1, abs=1e-6)
        if tables:
            dense = tables[(earlier, later)]
            assert np.allclose(plan.to_df().loc[dense.index, dense.columns], dense, atol=1e-9)


def test_a_problem_of_moscot_gets_solutions_in_its_order(model: sb.Model) -> None:
    plans = sb.interop.to_moscot(model)

    class One:
        def __init__(self, plan: Any) -> None:
            self.adata_src, self.adata_tgt = plan.copy()[::-1], plan.copy().T
            self.solution: Any = None

        def set_solution(self, solution: Any, overwrite: bool) -> None:
            assert overwrite
            self.solution = solution

    problem = {pair: One(plan) for pair, plan in plans.items()}
    sb.interop.to_moscot(model, problem)
    for pair, one in problem.items():
        assert list(one.solution.index) == list(plans[pair].obs_names[::-1])
        assert np.array_equal(one.solution.to_numpy()[::-1], plans[pair].to_df().to_numpy())


@pytest.mark.skipif(find_spec("cellrank") is not None, reason="CellRank is installed")
def test_without_cellrank_the_message_says_what_to_install(model: sb.Model) -> None:
    with pytest.raises(ImportError, match="pip install cellrank"):
        sb.interop.to_cellrank(model)


@pytest.mark.skipif(find_spec("cellrank") is None, reason="CellRank is not installed")
def test_a_kernel_of_cellrank(model: sb.Model, course: Any) -> None:
    kernel = sb.interop.to_cellrank(model, groupby="cell_type")
    matrix = kernel.transition_matrix
    assert matrix.shape == (240, 240) and np.allclose(matrix.sum(axis=1), 1, atol=1e-12)
    assert (kernel.adata.obs["cell_type"] == course.obs["cell_type"].loc[kernel.adata.obs_names]).all()
    live = sb.fit(course, "time", no_validation=True)
    other = sb.interop.to_cellrank(live)
    assert other.adata.n_vars == 41 and np.allclose((other.transition_matrix - matrix).toarray(), 0)
    import cellrank

    last = kernel.adata.obs["sbcell_time"] == 96
    names = kernel.adata.obs["cell_type"][last]
    estimator = cellrank.estimators.GPCCA(kernel)
    estimator.set_terminal_states({name: list(names.index[names == name]) for name in names.unique()})
    estimator.compute_fate_probabilities(solver="direct")
    assert np.allclose(np.asarray(estimator.fate_probabilities).sum(axis=1), 1)
