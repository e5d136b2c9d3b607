"""Every command of the binary is a function, and each works once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anndata
import pandas as pd
import pytest
import sbcell as sb
from conftest import binary
from sbcell import _flags

# Functions of the module that are no commands.
NO_METHODS = {"fit", "run", "inspect", "strip", "grn-score", "doctor", "verify"}
# Commands for shells and job scripts, which are no functions.
SHELL = {"completions", "man", "plan", "step", "merge"}


def commands() -> list[str]:
    page = binary("--help").split("Flags of every command:")[0].split("\nOptions:")[0]
    found = re.findall(r"^  ([a-z][a-z-]*) {2,}\S", page, re.M)
    return [name for name in found if name not in SHELL]


def test_every_command_is_a_function_and_a_method() -> None:
    names = commands()
    assert len(names) > 20
    for name in names:
        function = name.replace("-", "_")
        assert callable(getattr(sb, function)), name
        assert function in sb.__all__
        assert name in NO_METHODS or callable(getattr(sb.Model, function)), name
    assert set(_flags.table()["commands"]) == set(names)


def test_docstrings_name_every_flag() -> None:
    for command in commands():
        text = getattr(sb, command.replace("-", "_")).__doc__
        for flag in _flags.of(command):
            if flag not in ("model", "key", "terminal", "paths", "paths_to", "paths_out"):
                assert re.search(rf"\b{flag}\b", text), (command, flag)
        assert "Examples" in text


def test_inspect(file: Path, course: Any) -> None:
    assert sb.inspect(file)["n_cells"] == 240
    assert sb.inspect(course)["n_genes"] == 41


def test_doctor_and_verify(model: Any) -> None:
    assert {one["check"] for one in sb.doctor()["findings"]} > {"processor", "self-test"}
    seen = sb.verify(model)["summary"]
    assert seen["n_same"] > 3 and seen["n_changed"] == 0


def test_run(course: Any, tmp_path: Path) -> None:
    results = sb.run(
        course, "time", groupby="cell_type", skip=["grn", "evaluate"], set={"fates.bootstrap": 3}, out="res"
    )
    assert results.report.is_file()
    assert {"fates", "transitions", "trends"} <= set(results.tables)
    assert results.table("fates").shape[0] == 240
    # The model of the results knows the cells.
    assert len(results.model.fates("cell_type", bootstrap=0)) == 240
    assert len(sb.fates("res", data=course, groupby="cell_type", bootstrap=0)) == 240


def test_fit_with_everything(file: Path) -> None:
    model = sb.fit(file, timepoints="time", n_pcs=3, epsilon=0.2, solver="gaussian", out="kept", seed=4)
    assert model.folder == Path("kept").absolute()
    assert model.parameters["n_pcs"] == 3 and model.run["parameters"]["seed"] == 4
    assert model.parameters["noise"] == {"epsilon": 0.2}
    assert model.times == [0, 24, 48, 96] and model.n_cells == 240
    assert len(model.table("validation")) > 0
    assert repr(model) == "Model of 240 cells at 4 times, 3 dimensions"
    assert any("component" in note for note in model.notes)


def test_dry_run(file: Path) -> None:
    assert "memory" in str(sb.dry_run(file, "time"))


def test_populations(model: sb.Model, file: Path) -> None:
    table = model.interpolate(at=[12, 36], n_cells=10)
    assert sorted(table["time"].unique()) == [12, 36] and len(table) == 20
    cells = model.sample(at=24, n_cells=7, space="genes", format="h5ad")
    assert isinstance(cells, anndata.AnnData) and cells.shape == (7, 41)
    measured = anndata.read_h5ad(file)[:3, :2].to_df()
    drawn = sb.sample(model, at=24, given=measured, space="genes", draws=3)
    assert len(drawn) > 0


def test_perturb(model: sb.Model) -> None:
    by_name = sb.perturb(model, "Sox2", bootstrap=0)
    both = model.perturb(knockout=["Sox2", "Pou5f1"], set={"Gata6": 1.5}, at=24, until=96, bootstrap=0)
    held = both.set_index("gene").loc[["Sox2", "Pou5f1"], "knockout"]
    assert (held == 0).all() and len(by_name) == len(both)


def test_explanations(model: sb.Model) -> None:
    fates = model.fates("cell_type", bootstrap=0)
    auto = model.fates({"cell_type": ["XEN", "ectoderm"]}, at=96, terminal=[(48, "XEN")], bootstrap=0)
    assert "ectoderm" in auto.columns and len(auto) == len(fates)
    assert len(model.trajectory("cell_type", at=96, backward=True)) > 0
    assert set(model.paths(2, groupby="cell_type", at=24, to=(96, "XEN"))["path"]) == {0, 1}
    trends = model.trends("cell_type", at=96, genes=["Sox2"], bootstrap=0)
    assert set(trends["gene"]) == {"Sox2"}
    assert len(model.drivers("cell_type", times=[24, 48])) > 0
    diagnosed = model.diagnose("cell_type", permutations=2)
    assert len(diagnosed) == 3 and diagnosed.attrs["sbcell"]["summary"]["sentences"]


def test_edges(model: sb.Model, tmp_path: Path) -> None:
    edges = model.grn(tfs=["Sox2", "Pou5f1", "Gata6"], top=20, bootstrap=0, permutations=0)
    assert set(edges["TF"]) <= {"Sox2", "Pou5f1", "Gata6"} and len(edges) == 20
    ranked = model.grn(format="beeline", top=5, bootstrap=0, permutations=0)
    assert list(ranked.columns) == ["Gene1", "Gene2", "EdgeWeight"]
    graph = model.grn(top=5, bootstrap=0, permutations=0, out=tmp_path / "edges.graphml")
    assert "<graphml" in Path(graph).read_text()
    truth = pd.DataFrame({"regulator": ["Sox2", "Gata6"], "target": ["Pou5f1", "Sox2"]})
    scores = sb.grn_score(edges, truth, candidates="all")
    assert len(scores) == 1


def test_compare(course: Any) -> None:
    models = sb.fit(course, "time", condition_key="donor", no_validation=True)
    assert set(models.conditions) == {"d1", "d2"} and models.conditions["d1"].n_cells == 120
    table = models.compare("cell_type", reference="d1", bootstrap=3, permutations=3)
    assert len(table) > 0
    assert repr(models) == "Models of 2 conditions: d1, d2"
    assert len(models.conditions["d2"].fates("cell_type", bootstrap=0)) == 120


def test_figures_and_tables(model: sb.Model, tmp_path: Path) -> None:
    transitions = model.transitions("cell_type", bootstrap=0)
    picture = model.plot("sankey", transitions)
    assert picture._repr_png_()[:4] == b"\x89PNG" and picture._repr_svg_() is None
    drawn = sb.plot(model, "embedding", groupby="cell_type", basis="umap", out="cells.svg")
    assert drawn._repr_svg_().lstrip().startswith("<") and Path("cells.svg").is_file()
    assert model.plot("fates", model.fates("cell_type", bootstrap=0), format="pdf").data[:4] == b"%PDF"
    drawn.save(tmp_path / "copy.svg")
    with pytest.raises(ValueError, match="svg"):
        drawn.save("copy.png")
    page = model.report(transitions=transitions, groupby="cell_type", out="page.html")
    assert "<html" in page.read_text()[:500].lower()
    tables = model.export("tables", format="tsv")
    assert Path("tables/cells.tsv") in tables


def test_couplings(model: sb.Model, tmp_path: Path) -> None:
    plans = model.couplings(least=0)
    assert list(plans) == [(0, 24), (24, 48), (48, 96)]
    for plan in plans.values():
        assert abs(plan["mass"].sum() - 1) < 1e-6
    cells = model.couplings(format="cellrank")
    assert cells.obsp["T_fwd"].shape == (240, 240)
    folder = model.couplings(format="wot", out=tmp_path / "tmaps")
    assert any(folder.rglob("*.h5ad"))


def test_evaluate(model: sb.Model, file: Path) -> None:
    scores = sb.evaluate(file, "time", at=24, compare=["lightsb", "gaussian"], bootstrap=3)
    assert {"lightsb", "gaussian"} <= set(scores["name"])
    of_model = model.evaluate(at=24, bootstrap=3)
    both = of_model.merge(scores, on=["interval_mid", "name", "metric"])
    assert len(both) > 0 and (both["value_x"] == both["value_y"]).all()


def test_evaluate_takes_the_matrix_of_a_model(course: Any, file: Path) -> None:
    for matrix in ({"layer": "counts"}, {"use_rep": "X_umap"}):
        model = sb.fit(course, "time", no_validation=True, **matrix)
        scores = model.evaluate(at=24, bootstrap=3)
        pd.testing.assert_frame_equal(scores, sb.evaluate(file, "time", at=24, bootstrap=3, **matrix))


def test_clones(course: Any) -> None:
    course.obs["barcode"] = pd.Categorical([f"c{number % 40}" for number in range(course.n_obs)])
    model = sb.fit(course, "time", no_validation=True)
    scores = model.evaluate(clones=True, clone_key="barcode", groupby="cell_type", bootstrap=3)
    assert len(scores) > 0
    assert len(model.fates("cell_type", clone_key="barcode", bootstrap=0)) == 240


def test_files_are_annotated_and_stripped(model: sb.Model, file: Path) -> None:
    fates = model.fates("cell_type", bootstrap=0)
    out = sb.annotate(file, model, fates=fates, project="X_umap", out="annotated.h5ad")
    held = anndata.read_h5ad(out)
    assert {"sbcell_time", "sbcell_fate_XEN"} <= set(held.obs) and "velocity_umap" in held.obsm
    stripped = sb.strip(out, out="stripped.h5ad")
    assert not any(name.startswith("sbcell") for name in anndata.read_h5ad(stripped).obs)
    assert sb.strip(out, in_place=True) == out
