"""The types of flags, for editors and type checkers. Written by `python/tools/make_flags.py`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, Union

Value = Union[int, float, str]
Text = Union[str, int, float]
Pair = Union[Text, tuple[Text, Text]]
Many = Union[Pair, Sequence[Pair]]
Assigned = Union[str, Mapping[str, Any], Sequence[str]]
Table = Any  # a path, or what the file would hold: names, a Series, a DataFrame, a mapping
Path = Union[str, os.PathLike[str]]


class Every(TypedDict, total=False):
    """Flags of every command."""

    seed: Value
    threads: Value
    overwrite: bool
    verbose: bool
    spreadsheet_safe: bool


class Run(Every, total=False):
    """Further flags of `sbcell run`."""

    layer: Text
    use_rep: Text
    basis: Text
    config: Table
    init_config: bool
    fresh: bool


class Inspect(Every, total=False):
    """Further flags of `sbcell inspect`."""

    ...


class Fit(Every, total=False):
    """Further flags of `sbcell fit`."""

    use_raw: bool
    genes: Table
    obs_filter: Many
    values: Literal["auto", "counts", "normalised", "as-is"]
    time_map: Table
    n_top_genes: Value
    sigma2: Value
    coupling_epsilon: Value
    reference: Literal["brownian", "ou"]
    ou_rate: Value
    asynchrony: Value
    timing: Literal["even", "auto"]
    bend: Literal["off", "auto"]
    growth: Literal["auto", "none"]
    growth_key: Text
    growth_file: Table
    growth_unit: Text
    growth_genes: Literal["human", "mouse"]
    prolif: Table
    apop: Table
    growth_iters: Value
    max_iterations: Value
    tolerance: Text
    n_gaussians: Value
    covariance: Literal["auto", "scalar", "diagonal", "full"]
    lambda1: Value
    lambda2: Value
    relax: Value
    momentum: Value
    width_by: Literal["noise", "ends", "map"]
    noise_back: Value
    pull: Value
    pull_width: Value
    mass: Literal["kept", "relaxed"]
    auto_cells: Value
    cost: Literal["euclidean", "geodesic-path", "geodesic-heat"]
    n_neighbors: Value
    heat_time: Value
    coupling: Literal["entropic", "exact", "independent"]
    n_layers: Value
    width: Value
    learning_rate: Value
    weight_decay: Value
    batch: Value
    patience: Value
    held_out: Value
    block: Value
    path: Literal["linear", "trigonometric"]
    n_steps: Value
    n_projections: Value
    n_pairs: Value
    shared: Many
    parents: Table
    resume: bool
    dry_run: bool
    memory: Text


class Interpolate(Every, total=False):
    """Further flags of `sbcell interpolate`."""

    data: Table
    diffusion: Pair
    diffusion_file: Table
    backward: bool
    basis: Text


class Sample(Every, total=False):
    """Further flags of `sbcell sample`."""

    scheme: Literal["langevin", "data-aware", "split-step", "corrected", "matched"]
    epsilon: Value
    bandwidth: Literal["held-out", "rule"]
    variable: bool
    n_steps: Value
    observe: Table
    observe_sd: Value
    draws: Value
    likelihood: Table


class Perturb(Every, total=False):
    """Further flags of `sbcell perturb`."""

    data: Table
    once: bool
    n_cells: Value


class Fates(Every, total=False):
    """Further flags of `sbcell fates`."""

    data: Table
    n_states: Value
    clone_weight: Value


class Transitions(Every, total=False):
    """Further flags of `sbcell transitions`."""

    data: Table
    clone_key: Many
    clone_weight: Value


class Trajectory(Every, total=False):
    """Further flags of `sbcell trajectory`."""

    data: Table
    paths_out: Table
    terminal: Literal["auto"]
    n_states: Value
    clone_key: Many
    clone_weight: Value
    paths: Value
    paths_to: Pair
    scheme: Literal["exact", "em"]
    n_steps: Value


class Trends(Every, total=False):
    """Further flags of `sbcell trends`."""

    data: Table
    plot: Table
    plot_gene: Many
    terminal: Literal["auto"]
    n_states: Value
    coupling_epsilon: Value
    clone_key: Many
    clone_weight: Value


class Drivers(Every, total=False):
    """Further flags of `sbcell drivers`."""

    data: Table
    terminal: Many
    n_states: Value
    coupling_epsilon: Value
    clone_key: Many
    clone_weight: Value


class Compare(Every, total=False):
    """Further flags of `sbcell compare`."""

    data: Table
    plot: Table
    coupling_epsilon: Value
    tfs: Table
    test_cells: Value


class Grn(Every, total=False):
    """Further flags of `sbcell grn`."""

    data: Table
    plot: Table
    plot_gene: Many
    plot_network: Table
    plot_heatmap: Table
    perturbation_key: Text
    control: Text
    cells_per_time: Value
    lag: Text
    rank: Literal["within", "across"]
    prior_default: Value
    coupling: Literal["own", "model"]
    batch_key: Text


class Velocity(Every, total=False):
    """Further flags of `sbcell velocity`."""

    ...


class Report(Every, total=False):
    """Further flags of `sbcell report`."""

    data: Table
    basis: Text
    validation: Table


class Plot(Every, total=False):
    """Further flags of `sbcell plot`."""

    data: Table
    set: Text
    arrows: bool
    font_size: Value
    palette: Many
    log: bool


class Export(Every, total=False):
    """Further flags of `sbcell export`."""

    ...


class Annotate(Every, total=False):
    """Further flags of `sbcell annotate`."""

    key: Text


class Strip(Every, total=False):
    """Further flags of `sbcell strip`."""

    ...


class Couplings(Every, total=False):
    """Further flags of `sbcell couplings`."""

    data: Table
    clone_key: Many
    clone_weight: Value


class Evaluate(Every, total=False):
    """Further flags of `sbcell evaluate`."""

    layer: Text
    use_raw: bool
    use_rep: Text
    genes: Table
    obs_filter: Many
    values: Literal["auto", "counts", "normalised", "as-is"]
    model: Table
    time_map: Table
    n_top_genes: Value
    n_pcs: Value
    epsilon: Value
    sigma2: Value
    coupling_epsilon: Value
    reference: Literal["brownian", "ou"]
    ou_rate: Value
    asynchrony: Value
    timing: Literal["even", "auto"]
    bend: Literal["off", "auto"]
    growth: Literal["auto", "none"]
    growth_key: Text
    growth_file: Table
    growth_unit: Text
    growth_genes: Literal["human", "mouse"]
    prolif: Table
    apop: Table
    growth_iters: Value
    solver: Literal["lightsb", "gaussian", "sinkhorn", "ot", "sf2m", "spline", "auto", "ot-cfm", "i-cfm", "dsbm"]
    max_iterations: Value
    tolerance: Text
    n_gaussians: Value
    covariance: Literal["auto", "scalar", "diagonal", "full"]
    lambda1: Value
    lambda2: Value
    relax: Value
    momentum: Value
    width_by: Literal["noise", "ends", "map"]
    noise_back: Value
    pull: Value
    pull_width: Value
    mass: Literal["kept", "relaxed"]
    auto_cells: Value
    cost: Literal["euclidean", "geodesic-path", "geodesic-heat"]
    n_neighbors: Value
    heat_time: Value
    coupling: Literal["entropic", "exact", "independent"]
    n_layers: Value
    width: Value
    learning_rate: Value
    weight_decay: Value
    batch: Value
    patience: Value
    held_out: Value
    block: Value
    path: Literal["linear", "trigonometric"]
    n_steps: Value
    n_projections: Value
    n_pairs: Value
    select: bool
    protocol: Literal["honest", "sf2m", "trajectorynet", "lightsb", "wot", "otpfm"]
    max_cells: Value
    repeats: Value
    cells_per_time: Value
    terminal_time: Value
    min_sisters: Value
    batch_key: Text


class Diagnose(Every, total=False):
    """Further flags of `sbcell diagnose`."""

    data: Table
    coupling_epsilon: Value


class GrnScore(Every, total=False):
    """Further flags of `sbcell grn-score`."""

    ...


class Verify(Every, total=False):
    """Further flags of `sbcell verify`."""

    ...


class Doctor(Every, total=False):
    """Further flags of `sbcell doctor`."""

    ...
