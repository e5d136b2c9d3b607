"""Values of the module against the binary's own files and against independent computations."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import sbcell as sb
from conftest import GROUPS, SAMPLE, binary


@pytest.fixture(scope="module")
def folder(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The binary's own model and tables."""
    folder = tmp_path_factory.mktemp("binary")
    binary("fit", file, "--timepoints", "time", "--out", folder / "model", "--seed", 3)
    for command, more in {
        "fates": ["--bootstrap", 10], "transitions": ["--bootstrap", 10, "--pairs", "0:24,24:96"],
        "trajectory": ["--at", 96], "trends": ["--bootstrap", 5], "drivers": ["--times", 24],
    }.items():  # fmt: skip
        binary(
            command, "--model", folder / "model", "--groupby", "cell_type", "--out", folder / f"{command}.csv", *more
        )
    return folder


@pytest.fixture(scope="module")
def fitted(file: Path) -> sb.Model:
    return sb.fit(file, "time", seed=3)


def its(path: Path) -> dict[str, list[str]]:
    """The columns of a table as texts, read without pandas."""
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle))
    return {name: [row[column] for row in rows[1:]] for column, name in enumerate(rows[0])}


def equal(table: pd.DataFrame, path: Path) -> None:
    """All columns are those of the file, digit for digit."""
    expected = its(path)
    table = table.reset_index() if table.index.name is not None else table
    assert list(table.columns) == list(expected)
    for name, texts in expected.items():
        if pd.api.types.is_numeric_dtype(table[name]):
            numbers = [float(text) if text else np.nan for text in texts]
            assert np.array_equal(table[name].to_numpy(float), numbers, equal_nan=True), name
        else:
            assert table[name].fillna("").tolist() == texts, name


def test_tables_are_those_of_the_binary(fitted: sb.Model, folder: Path) -> None:
    equal(fitted.fates("cell_type", bootstrap=10), folder / "fates.csv")
    equal(fitted.transitions("cell_type", bootstrap=10, pairs=[(0, 24), (24, 96)]), folder / "transitions.csv")
    equal(
        fitted.transitions("cell_type", bootstrap=10, pairs=[(0, 24), (24, 96)], wide=True),
        folder / "transitions.wide.csv",
    )
    equal(fitted.trajectory("cell_type", at=96), folder / "trajectory.csv")
    equal(fitted.trends("cell_type", bootstrap=5), folder / "trends.csv")
    equal(fitted.drivers("cell_type", times=24), folder / "drivers.csv")
    equal(fitted.table("fit"), folder / "model" / "fit.csv")
    equal(fitted.table("validation"), folder / "model" / "validation.csv")


def test_scores_of_held_out_times_are_those_of_the_binary(course: Any, file: Path, tmp_path: Path) -> None:
    binary("evaluate", file, "--timepoints", "time", "--bootstrap", 5, "--out", tmp_path / "scores")
    equal(sb.evaluate(course, "time", bootstrap=5), tmp_path / "scores" / "validation.csv")
    equal(sb.evaluate(file, "time", bootstrap=5, out="kept"), Path("kept/validation.csv"))


def test_fates_sum_to_one_and_average_to_the_shares(fitted: sb.Model, course: Any) -> None:
    fates = fitted.fates("cell_type", bootstrap=0)
    names = list(course.obs.loc[course.obs["time"] == 96, "cell_type"].unique())
    assert np.allclose(fates[names].sum(axis=1), 1, atol=1e-9)
    last = course.obs["time"] == 96
    shares = course.obs.loc[last, "cell_type"].value_counts(normalize=True)
    own = fates.loc[course.obs_names[last]]
    for name in names:
        assert own[name].mean() == pytest.approx(shares[name])
        # Without growth, masses of both sides are those of the cells: the mean at a time is the share.
        assert fates.loc[course.obs_names[course.obs["time"] == 0], name].mean() == pytest.approx(
            shares[name], abs=0.02
        )


def test_couplings_have_the_cells_as_marginals(fitted: sb.Model, course: Any) -> None:
    for (earlier, later), plan in fitted.couplings(least=0).items():
        rows = plan.groupby("source")["mass"].sum()
        columns = plan.groupby("target")["mass"].sum()
        assert set(rows.index) == set(course.obs_names[course.obs["time"] == earlier])
        assert set(columns.index) == set(course.obs_names[course.obs["time"] == later])
        assert np.allclose(rows, 1 / 60, rtol=1e-3) and np.allclose(columns, 1 / 60, rtol=1e-3)


def test_transitions_are_sums_of_couplings(fitted: sb.Model, course: Any) -> None:
    table = fitted.transitions("cell_type", pairs=(0, 24), bootstrap=0, coupling_epsilon=0.5)
    plan = fitted.couplings(least=0, coupling_epsilon=0.5)[(0, 24)]
    groups = course.obs["cell_type"].astype(str)
    mass = plan["mass"].groupby([plan["source"].map(groups), plan["target"].map(groups)]).sum()
    for row in table.itertuples():
        assert row.mass == pytest.approx(mass[row.source, row.target], rel=2e-3, abs=1e-6)


def test_velocities_are_those_of_the_coordinates(fitted: sb.Model, course: Any) -> None:
    table = fitted.velocity()
    drift = table[[name for name in table.columns if name.startswith("velocity_")]].to_numpy()
    assert np.allclose(np.linalg.norm(drift, axis=1), table["speed"], rtol=1e-9)
    assert np.array_equal(table["time"].loc[course.obs_names], course.obs["time"])
    # Velocities of genes are linear in those of the coordinates.
    genes = fitted.velocity(space="genes")
    genes = genes[[name for name in genes.columns if name not in ("time", "speed")]].dropna(axis=1).to_numpy()
    fit, *_ = np.linalg.lstsq(drift, genes, rcond=None)
    assert np.allclose(drift @ fit, genes, atol=1e-6 * np.abs(genes).max())


def test_populations_have_weights_that_sum_to_one(fitted: sb.Model) -> None:
    for _, cells in fitted.interpolate(at=[12, 60]).groupby("time"):
        assert cells["weight"].sum() == pytest.approx(1)


def test_parts_of_the_readme(tmp_path: Path) -> None:
    """The sample of the README in memory: the same table as the binary's from files."""
    adata = anndata.read_h5ad(SAMPLE)
    adata.obs["group"] = pd.read_csv(GROUPS, index_col=0)["group"].reindex(adata.obs_names)
    model = sb.fit(adata, "time", no_validation=True)
    binary("fit", SAMPLE, "--timepoints", "time", "--no-validation", "--out", tmp_path / "model")
    binary("fates", "--model", tmp_path / "model", "--cells", GROUPS, "--bootstrap", 0, "--out", tmp_path / "fates.csv")
    equal(model.fates("group", bootstrap=0), tmp_path / "fates.csv")
