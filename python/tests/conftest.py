"""A small time course with groups, and models of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import sbcell as sb

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data-samples" / "semrau2017_mesc_ra.h5ad"
GROUPS = ROOT / "data-samples" / "semrau2017_groups.csv"
TIMES = [0.0, 24.0, 48.0, 96.0]


def small_course() -> Any:
    """Sixty cells at each of four times, with groups without gaps."""
    whole = anndata.read_h5ad(SAMPLE)
    groups = pd.read_csv(GROUPS, index_col=0)["group"]
    whole.obs["cell_type"] = groups.reindex(whole.obs_names).fillna("other").astype("category")
    rng = np.random.default_rng(0)
    chosen = [rng.choice(np.flatnonzero(whole.obs["time"] == time), 60, replace=False) for time in TIMES]
    course = whole[np.concatenate(chosen)].copy()
    course.obs = course.obs[["time", "cell_type"]].copy()
    course.obs["donor"] = pd.Categorical(np.where(np.arange(course.n_obs) % 2, "d1", "d2"))
    course.obsm["X_umap"] = rng.normal(size=(course.n_obs, 2)).astype(np.float32)
    return course


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Each test runs in an empty folder, in which it must not leave temporary files."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path


@pytest.fixture(scope="session")
def course_() -> Any:
    return small_course()


@pytest.fixture()
def course(course_: Any) -> Any:
    """An object in memory that a test may change."""
    return course_.copy()


@pytest.fixture(scope="session")
def file(course_: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same course as a file."""
    path = tmp_path_factory.mktemp("course") / "course.h5ad"
    course_.write_h5ad(path)
    return path


@pytest.fixture(scope="session")
def model(file: Path) -> sb.Model:
    """A model of the file."""
    return sb.fit(file, timepoints="time", no_validation=True)


def binary(*arguments: Any) -> str:
    """The output of the program itself."""
    import subprocess

    words = [os.fspath(sb.find_binary()), *map(str, arguments)]
    return subprocess.run(words, check=True, capture_output=True, encoding="utf-8").stdout


def running(words: str) -> list[str]:
    """The commands that run with these words in their arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if words in line and "sbcell" in line.split(" ")[0]:
            found.append(line)
    return found
