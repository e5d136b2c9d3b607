"""AnnData objects in memory: same results as files, keys, copies, and what is written for the binary."""

from __future__ import annotations

import gc
import json
import os
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import sbcell as sb
import scipy.sparse as sp
from conftest import ROOT, SAMPLE
from sbcell import _data

COORDINATES = ["PC1", "PC2", "PC3"]


def same(one: sb.Model, other: sb.Model, **keywords: Any) -> None:
    """Both models give the same fates, digit for digit."""
    pd.testing.assert_frame_equal(
        one.fates("cell_type", bootstrap=0), other.fates("cell_type", bootstrap=0), check_exact=True, **keywords
    )


@pytest.fixture()
def own_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder for temporary files that no other process uses."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def temporary() -> set[str]:
    return set(os.listdir(tempfile.gettempdir()))


def test_an_object_is_as_good_as_its_file(course: Any, model: sb.Model) -> None:
    same(sb.fit(course, "time", no_validation=True), model)


def test_an_object_is_not_changed_unless_asked(course: Any, course_: Any) -> None:
    fitted = sb.fit(course, "time", no_validation=True)
    fitted.fates("cell_type", bootstrap=0)
    fitted.grn(bootstrap=0, permutations=0, top=3)
    for part in ("obs", "var"):
        pd.testing.assert_frame_equal(getattr(course, part), getattr(course_, part))
    assert np.array_equal(course.X, course_.X)
    for part in ("uns", "obsm", "layers", "obsp"):
        assert list(getattr(course, part)) == list(getattr(course_, part))


def test_keys_are_those_of_annotate(course: Any, file: Path) -> None:
    model = sb.fit(course, "time", no_validation=True, inplace=True)
    fates = sb.fates(course, "cell_type", bootstrap=0, inplace=True)
    velocities = model.velocity(space="both", inplace=True)
    assert np.array_equal(course.obs["sbcell_time"], course.obs["time"])
    for name in ("XEN", "other"):
        assert np.allclose(course.obs[f"sbcell_fate_{name}"], fates[name], rtol=1e-6)
        assert np.array_equal(course.obsm["sbcell_fates"][name], fates[name])
    assert list(course.obsm["sbcell_fates"].columns) == sorted(
        course.obs["cell_type"][course.obs["time"] == 96].unique()
    )
    drift = velocities[[name for name in velocities.columns if name.startswith("velocity_PC")]]
    assert np.allclose(course.obsm["sbcell_velocity"], drift, rtol=1e-5, atol=1e-7)
    assert course.layers["velocity"].shape == course.shape
    record = json.loads(course.uns["sbcell"])
    assert record["sbcell"] == sb._binary.binary_version(sb.find_binary())
    # The file gets the same keys, but for the table of fates.
    held = anndata.read_h5ad(sb.annotate(file, model, fates=fates, add_layer="velocity", out="annotated.h5ad"))
    mine = {key for key in [*course.obs, *course.obsm, *course.layers] if "sbcell" in key or key == "velocity"}
    its = {key for key in [*held.obs, *held.obsm, *held.layers] if "sbcell" in key or key == "velocity"}
    assert mine >= its - {name for name in its if name.startswith("sbcell_fate")}
    assert np.array_equal(held.obsm["sbcell_velocity"], course.obsm["sbcell_velocity"])
    # Everything can be written, read and removed.
    course.write_h5ad("mine.h5ad")
    assert "sbcell_fates" in anndata.read_h5ad("mine.h5ad").obsm or "velocity" in course.layers
    sb.strip(course)
    assert not [key for key in [*course.obs, *course.obsm, *course.uns, *course.layers] if "sbcell" in key]
    assert "velocity" not in course.layers


def test_the_binary_strips_what_it_knows(course: Any) -> None:
    sb.fit(course, "time", no_validation=True)
    sb.fates(course, "cell_type", bootstrap=0, inplace=True)
    course.write_h5ad("mine.h5ad")
    left = anndata.read_h5ad(sb.strip("mine.h5ad", out="left.h5ad"))
    # The table of fates is a key of this module, which the binary leaves.
    assert [key for key in [*left.obs, *left.obsm, *left.uns] if "sbcell" in key] == ["sbcell_fates"]


def test_copy_and_key_added(course: Any) -> None:
    model = sb.fit(course, "time", no_validation=True)
    changed = sb.annotate(course, model, copy=True, key_added="mine", project="X_umap")
    assert "mine_time" in changed.obs and "X_mine" in changed.obsm and "mine" in changed.uns
    assert changed.obsm["velocity_umap"].shape == (240, 2)
    assert not [key for key in [*course.obs, *course.obsm, *course.uns] if "mine" in key]
    clean = sb.strip(changed, key="mine", copy=True)
    assert "mine_time" in changed.obs and "mine_time" not in clean.obs
    with pytest.raises(sb.UsageError, match="no annotation `other`"):
        sb.strip(changed, key="other")


def test_cells_are_found_by_name(course: Any, model: sb.Model) -> None:
    fates = model.fates("cell_type", bootstrap=0)
    order = np.random.default_rng(1).permutation(course.n_obs)
    extra = course[:3].copy()
    extra.obs_names = ["x1", "x2", "x3"]
    mixed = anndata.concat([course[order], extra])
    sb.annotate(mixed, model, fates=fates)
    assert np.allclose(mixed.obs["sbcell_fate_XEN"].iloc[:240], fates["XEN"].loc[mixed.obs_names[:240]], rtol=1e-6)
    assert mixed.obs["sbcell_time"].isna().tolist() == [False] * 240 + [True] * 3
    assert np.isnan(mixed.obsm["sbcell_fates"].iloc[240:]).all(axis=None)
    # Groups of a shuffled object are those of the same cells.
    again = model.fates("cell_type", data=course[order], bootstrap=0)
    pd.testing.assert_frame_equal(again, fates, check_exact=True)


def test_new_columns_are_seen(course: Any) -> None:
    model = sb.fit(course, "time", no_validation=True)
    first = model.fates("cell_type", bootstrap=0)
    course.obs["later"] = course.obs["cell_type"].astype(str)
    pd.testing.assert_frame_equal(model.fates("later", bootstrap=0), first)
    course.obs["cell_type"] = pd.Categorical(np.where(course.obs["cell_type"] == "XEN", "A", "B"))
    assert {"A", "B"} <= set(model.fates("cell_type", bootstrap=0).columns)
    course.obsm["X_tsne"] = course.obsm["X_umap"] * 2
    assert model.plot("embedding", basis="tsne").notes == []


def test_a_model_of_a_folder_takes_an_object(course: Any, file: Path) -> None:
    sb.fit(course, "time", no_validation=True, out="kept")
    gc.collect()
    opened = sb.Model("kept", course)
    edges = opened.grn(bootstrap=0, permutations=0, top=5)
    of_file = sb.fit(file, "time", no_validation=True).grn(bootstrap=0, permutations=0, top=5)
    pd.testing.assert_frame_equal(edges, of_file, check_exact=True)


@pytest.mark.parametrize("kind", ["float64", "int32", "csr", "csc", "view", "fortran", "backed", "backed view"])
def test_kinds_of_matrices(course: Any, model: sb.Model, kind: str, tmp_path: Path) -> None:
    if kind in ("int32", "csr", "csc"):
        counts = course.layers["counts"]
        counts = counts.toarray() if sp.issparse(counts) else counts
        course.X = counts.astype(np.int32) if kind == "int32" else getattr(sp, f"{kind}_matrix")(counts)
        expected = sb.fit(course.copy(), "time", layer="counts", no_validation=True)
    else:
        expected = model
        course.X = (
            np.asfortranarray(course.X)
            if kind == "fortran"
            else course.X.astype(np.float64 if kind == "float64" else np.float32)
        )
    if "view" in kind or kind == "backed":
        more = anndata.concat([course, course[:2].copy()], index_unique="-") if kind != "backed" else course
        more.obs_names = [*course.obs_names, *(["x", "y"] if kind != "backed" else [])]
        if "backed" in kind:
            more.write_h5ad(tmp_path / "backed.h5ad")
            more = anndata.read_h5ad(tmp_path / "backed.h5ad", backed="r")
        course = more[:240] if "view" in kind else more
        assert course.isbacked == ("backed" in kind)
    fitted = sb.fit(course, "time", no_validation=True)
    # Sums in another type may differ in the last digits.
    pd.testing.assert_frame_equal(
        fitted.fates("cell_type", bootstrap=0), expected.fates("cell_type", bootstrap=0), rtol=1e-4, atol=1e-6
    )


def test_kinds_of_columns(course: Any) -> None:
    course.obs["category"] = pd.Categorical(course.obs["time"])
    course.obs["words"] = [f"D{int(time)}" for time in course.obs["time"]]
    course.obs["nullable"] = course.obs["time"].astype("Int64")
    course.obs["string"] = course.obs["words"].astype("string")
    course.obs["mixed"] = [object() for _ in range(course.n_obs)]
    course.obs["dates"] = pd.Timestamp("2020-01-01")
    for column in ("category", "words", "nullable", "string"):
        assert sb.fit(course, column, no_validation=True).times == [0, 24, 48, 96], column


def test_names_that_are_not_ascii(course: Any) -> None:
    course.obs["Zelltyp / Größe é"] = 0
    course.obs["Zelltyp é"] = course.obs["cell_type"].cat.rename_categories({"XEN": "Entoderm, ü", "other": "其他"})
    course.obs_names = [f"細胞_{number}" for number in range(course.n_obs)]
    course.var_names = [f"Gén_{number}" for number in range(course.n_vars)]
    model = sb.fit(course, "time", no_validation=True)
    fates = model.fates("Zelltyp é", bootstrap=0, inplace=True)
    assert {"Entoderm, ü", "其他"} <= set(fates.columns) and fates.index[5] == "細胞_5"
    assert model.trends("Zelltyp é", genes=["Gén_1"], bootstrap=0)["gene"].unique().tolist() == ["Gén_1"]


def test_names_like_numbers_stay_text(course: Any) -> None:
    course.obs_names = [str(number) for number in range(course.n_obs)]
    course.obs["leiden"] = course.obs["cell_type"].cat.codes.astype(str).astype("category")
    model = sb.fit(course, "time", no_validation=True)
    assert model.fates("leiden", bootstrap=0).index.tolist() == course.obs_names.tolist()
    assert set(model.transitions("leiden", bootstrap=0)["source"]) <= {"0", "1", "2", "3", "(no group)"}


def test_only_what_is_needed_is_written(course: Any, tmp_path: Path) -> None:
    course.layers["big"] = course.X.copy()
    course.obsp["graph"] = sp.eye(course.n_obs).tocsr()
    course.obsm["X_big"] = course.X.copy()

    def parts(**keywords: Any) -> set[str]:
        path, own = sb._shared.data_file("fit", course, keywords, tmp_path / "data.h5ad")
        assert own
        found: set[str] = set()
        with h5py.File(path) as held:
            for place in ("layers", "obsm", "obsp"):
                found.update(f"{place}/{key}" for key in held[place])
            found.update({"X"} & set(held))
        return found

    assert parts(timepoints="time") == {"X", "obsm/X_umap"}
    assert parts(layer="counts") == {"layers/counts", "obsm/X_umap"}
    assert parts(use_rep="X_big", growth="none") == {"obsm/X_big", "obsm/X_umap"}
    assert _data.matrices_for_fit(course, {"use_raw": True}) == {"x": False, "layer": "", "raw": True}
    with pytest.raises(KeyError, match="no layer `nix`"):
        sb.fit(course, layer="nix")


def test_raw_and_embeddings(course: Any) -> None:
    course.raw = course.copy()
    course = course[:, :5].copy()
    assert len(sb.fit(course, "time", use_raw=True, no_validation=True).header["dimensions"]) > 1
    assert sb.fit(course, "time", use_rep="X_umap", no_validation=True).header["source"] == "obsm/X_umap"


def test_temporary_files_end_with_the_model(course: Any, own_temporary: None) -> None:
    # Models of other tests end first.
    gc.collect()
    before = temporary()
    # Nobody else holds this copy.
    course = course.copy()
    model = sb.fit(course, "time", no_validation=True)
    assert len(temporary() - before) == 1
    model.fates("cell_type", bootstrap=0)
    assert len(temporary() - before) == 1
    saved = model.save("saved")
    del model, course
    gc.collect()
    assert len(saved.fates("cell_type", bootstrap=0)) == 240
    del saved
    gc.collect()
    assert temporary() == before
    assert Path("saved/model.json").is_file()


def test_errors_leave_no_files(course: Any, own_temporary: None) -> None:
    gc.collect()
    before = temporary()
    with pytest.raises(sb.UsageError):
        sb.fit(course, "nix")
    assert temporary() == before


def test_objects_without_a_model(course: Any) -> None:
    with pytest.raises(sb.UsageError, match="no model was fitted"):
        sb.fates(course, "cell_type")
    with pytest.raises(sb.UsageError, match="needs the AnnData object"):
        sb.fit(SAMPLE, "time", no_validation=True).fates(
            cells=ROOT / "data-samples/semrau2017_groups.csv", inplace=True
        )


@pytest.mark.parametrize("kind", ["dense", "sparse", "backed"])
def test_writing_an_object_does_not_copy_it(kind: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).poisson(0.5, (4000, 2000)).astype(np.float32)
    big = anndata.AnnData(sp.csr_matrix(values) if kind == "sparse" else values)
    big.obs["time"] = np.arange(4000) % 3
    size = values.nbytes if kind != "sparse" else big.X.data.nbytes + big.X.indices.nbytes
    if kind == "backed":
        big.write_h5ad(tmp_path / "big.h5ad")
        big = anndata.read_h5ad(tmp_path / "big.h5ad", backed="r")
    del values
    tracemalloc.start()
    try:
        sb._shared.data_file("fit", big, {"timepoints": "time"}, tmp_path / "data.h5ad")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size / 4
