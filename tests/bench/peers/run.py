"""Ours beside the tools that people use, on the same arrays: one command, one table.

    pip install -r tests/bench/peers/requirements.txt
    python tests/bench/peers/run.py [--quick] [--rounds N] [--out table.md] [TASK ...]

For each case the arrays are made once (seeded); then ours and each peer run in turn, each as a process
of its own, three rounds, on one thread and on two; of both each side has its faster one. What is timed is
the work alone, without start, imports, compilation and the reading of arrays; peers run on a small problem
first. Peak memory is that of the whole process, libraries included. Both answers are judged by one script
(judge.py).

This script imports nothing beyond Python: a process counts what its parent held into its peak memory.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
THREAD_NAMES = (
    "RAYON_NUM_THREADS OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS NUMBA_NUM_THREADS "
    "NUMEXPR_NUM_THREADS SLURM_CPUS_PER_TASK"
).split()
SECONDS_AT_MOST = 1800

# Task: its peers, its threads, and the numbers of its cases; the last is for --quick.
CASES = {
    "read": (
        ["anndata"],
        [2],
        [
            {"n": 20_000, "n_genes": 20_000, "gzip": False},
            {"n": 20_000, "n_genes": 20_000, "gzip": True},
        ],
        [{"n": 3_000, "n_genes": 10_000, "gzip": False}, {"n": 3_000, "n_genes": 10_000, "gzip": True}],
    ),
    "pca": (
        ["scanpy", "covariance_eigh"],
        [1, 2],
        [{"n": 20_000, "n_genes": 2_000, "n_pcs": 50}],
        [{"n": 4_000, "n_genes": 1_000, "n_pcs": 50}],
    ),
    "knn": (
        ["brute", "kd_tree", "pynndescent"],
        [2],
        [{"n": 20_000, "dim": 50, "k": 15}, {"n": 20_000, "dim": 5, "k": 15}],
        [{"n": 5_000, "dim": 50, "k": 15}],
    ),
    "sinkhorn": (
        ["sinkhorn", "sinkhorn_log", "ott"],
        [1, 2],
        [
            {"n": 2_000, "dim": 50, "share": 0.1, "tolerance": 1e-6, "most": 2_000},
            {"n": 2_000, "dim": 50, "share": 0.01, "tolerance": 1e-6, "most": 2_000},
        ],
        [{"n": 500, "dim": 50, "share": 0.1, "tolerance": 1e-6, "most": 500}],
    ),
    "exact": (
        ["emd"],
        [1, 2],
        [{"n": 2_000, "dim": 50}, {"n": 2_000, "dim": 5}],
        [{"n": 1_000, "dim": 50}],
    ),
    "lightsb": (
        ["adam"],
        [1, 2],
        [
            {
                "data": "simulated", "n": 7_000, "dim": 50, "epsilon": 0.1, "n_gaussians": 10,
                "n_steps": 10_000,
            },
            {"data": "embryoid", "epsilon": 0.1, "n_gaussians": 30, "n_steps": 10_000},
        ],
        [{"data": "embryoid", "epsilon": 0.1, "n_gaussians": 10, "n_steps": 1_000}],
    ),
    "sf2m": (
        ["torchcfm"],
        [1, 2],
        [
            {
                "data": "simulated", "n": 4_000, "dim": 20, "epsilon": 0.1, "batch": 512,
                "n_steps": 2_000, "n_draw_steps": 50,
            },
        ],
        [
            {
                "data": "simulated", "n": 1_000, "dim": 20, "epsilon": 0.1, "batch": 512,
                "n_steps": 200, "n_draw_steps": 50,
            },
        ],
    ),
    "moscot": (
        ["moscot"],
        [2],
        [{"n": 1_500, "dim": 30, "share": 0.02, "tolerance": 1e-3, "most": 20_000}],
        [{"n": 500, "dim": 30, "share": 0.02, "tolerance": 1e-3, "most": 5_000}],
    ),
    "library": (["scanpy+pot"], [2], [{"n": 2_449}], [{"n": 2_449}]),
    "pipeline": (["scanpy+pot"], [2], [{"n": 2_449}], [{"n": 2_449}]),
}  # fmt: skip
# Very slow beside the others of its case: once is enough.
ONCE = {
    ("knn", "kd_tree", 50), ("sinkhorn", "sinkhorn_log", 50), ("sinkhorn", "ott", 50), ("lightsb", "adam", 50),
    ("sf2m", "torchcfm", 20),
}  # fmt: skip


def size_of(case):
    """What the table calls a case, from the numbers that data.py completed."""
    if "n_genes" in case:
        size = f"{case['n']} × {case['n_genes']}" + (", gzip" if case.get("gzip") else "")
    elif "m" in case:
        size = f"{case['data']}, {case['n']} and {case['m']} cells × {case['dim']}"
    elif "k" in case:
        size = f"{case['n']} × {case['dim']}"
    elif "dim" in case:
        size = f"{case['n']} × {case['n']} × {case['dim']}"
    else:
        size = "Semrau, 2 449 × 41, 7 inner times"
    names = {
        "filled": "filled {}",
        "share": "ε = {} of mean cost",
        "n_gaussians": "K = {}",
        "n_steps": "{} steps",
    }
    return ", ".join([size, *(text.format(case[name]) for name, text in names.items() if name in case)])


def child(command, threads=2, cwd=None):
    """Runs a command on so many cores: its last line of output, wall and CPU seconds, peak MB."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    env |= {name: str(threads) for name in THREAD_NAMES}
    # JAX has a pool of its own, as large as the cores it may use.
    env["JAX_PLATFORMS"] = "cpu"
    env["CUDA_VISIBLE_DEVICES"] = ""
    # POT imports every array library it finds, and they would count as its memory.
    env |= {f"POT_BACKEND_DISABLE_{name}": "1" for name in ("PYTORCH", "JAX", "CUPY", "TENSORFLOW")}
    cores = set(sorted(os.sched_getaffinity(0))[:threads])
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=out, stderr=err, env=env, cwd=cwd,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )  # fmt: skip
        timer = threading.Timer(SECONDS_AT_MOST, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (out, err):
            stream.seek(0)
        lines, errors = out.read().strip().splitlines(), err.read()
    if process.returncode != 0:
        last = errors.strip().splitlines()[-1:] or ["no message"]
        raise ChildFailed(f"{' '.join(command[:4])} … ended with {process.returncode}: {last[0]}", errors)
    cpu = usage.ru_utime + usage.ru_stime
    return (lines[-1] if lines else ""), wall, cpu, usage.ru_maxrss / 1024


class ChildFailed(Exception):
    pass


def build():
    """Our side, and where cargo put it."""
    command = ["cargo", "build", "--release", "--bench", "peers", "--bin", "sbcell"]
    print("building ours …", file=sys.stderr, flush=True)
    done = subprocess.run(
        [*command, "--message-format=json"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    found = {}
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable"):
            found[message["target"]["name"]] = message["executable"]
    return found["peers"], found["sbcell"]


def evaluate_scores(out):
    """Means over the held-out times, from what `sbcell evaluate` wrote."""
    names = {
        ("sinkhorn", "w1"): "w1",
        ("sinkhorn", "energy"): "energy",
        ("F", "w1"): "w1_before",
        ("F", "energy"): "energy_before",
    }
    values = {name: [] for name in names.values()}
    with open(os.path.join(out, "validation.csv")) as file:
        header = file.readline().strip().split(",")
        for line in file:
            row = dict(zip(header, line.strip().split(",")))
            if (row["name"], row["metric"]) in names:
                values[names[row["name"], row["metric"]]].append(float(row["value"]))
    return {name: statistics.mean(of) for name, of in values.items()}


class Bench:
    def __init__(self, work, rounds, programs):
        self.work, self.rounds = work, rounds
        self.peers_ours, self.sbcell = programs
        self.lines, self.rows = [], []

    def run_ours(self, task, folder, out, threads):
        if task != "pipeline":
            line, _, _, memory = child([self.peers_ours, task, folder, out], threads)
            return json.loads(line) | {"memory": memory}
        sample = os.path.join(ROOT, "data-samples/semrau2017_mesc_ra.h5ad")
        flags = "--timepoints time --layer counts --compare sinkhorn --bootstrap 0 --quiet".split()
        where = ["--threads", str(threads), "--out", out]
        _, wall, cpu, memory = child([self.sbcell, "evaluate", sample, *flags, *where], threads)
        line = {"wall": wall, "cpu": cpu, "version": "sbcell evaluate", "precision": "f64"}
        return line | {"memory": memory, "said": evaluate_scores(out)}

    def run_theirs(self, task, peer, folder, out, threads):
        script = os.path.join(HERE, "theirs.py")
        words = [sys.executable, script, task, peer, folder, out, str(threads)]
        line, _, _, memory = child(words, threads)
        return json.loads(line) | {"memory": memory}

    def judge(self, task, folder, out):
        line = child([sys.executable, os.path.join(HERE, "judge.py"), task, folder, out])[0]
        return json.loads(line)

    def one(self, task, who, folder, threads):
        """One run of one side; what it said, kept beside its arrays."""
        out = os.path.join(folder, f"{who}-{threads}")
        os.makedirs(out, exist_ok=True)
        if who == "ours":
            line = self.run_ours(task, folder, out, threads)
        else:
            line = self.run_theirs(task, who, folder, out, threads)
        with open(os.path.join(out, "line.json"), "w") as file:
            json.dump(line, file)
        return out, line

    def case(self, task, peers, threads, case, place):
        folder = os.path.join(self.work, f"{task}-{place}")
        os.makedirs(folder, exist_ok=True)
        child([sys.executable, os.path.join(HERE, "data.py"), task, folder, json.dumps(case)])
        with open(os.path.join(folder, "case.json")) as file:
            case = json.load(file)
        self.compare(task, peers, threads, case, folder)
        shutil.rmtree(folder)

    def compare(self, task, peers, threads, case, folder):
        """Runs every side on every number of threads in turn; one row for each peer and limit."""
        size, runs, failed, outs = size_of(case), {}, {}, {}
        counts = sorted({1, *threads})
        for turn in range(self.rounds):
            for who, count in [(who, count) for count in counts for who in ["ours", *peers]]:
                if who in failed or (turn > 0 and (task, who, case.get("dim")) in ONCE):
                    continue
                where = f"{task}, {size}, threads {count}, round {turn + 1}: {who}"
                print(where, file=sys.stderr, flush=True)
                try:
                    out, line = self.one(task, who, folder, count)
                except ChildFailed as why:
                    print(why.args[1], file=sys.stderr)
                    failed[who] = why.args[0]
                    continue
                if "missing" in line:
                    failed[who] = f"not installed ({line['missing']})"
                    continue
                outs[who, count] = out
                runs.setdefault((who, count), []).append(line)
                if who == "ours" and task == "lightsb" and "goal" not in case:
                    case["goal"] = self.judge(task, folder, out)["goal"]
                    with open(os.path.join(folder, "case.json"), "w") as file:
                        json.dump(case, file)
        for key in [key for key in runs if key[0] in failed]:
            del runs[key]
        words = {key: self.judge(task, folder, outs[key])["words"] for key in runs}
        for limit in threads:
            for who in peers:
                why = failed.get("ours") or failed.get(who)
                if why:
                    self.lines.append(f"| {task} | {who} | {size} | {limit} | {why} |" + " |" * 8)
                else:
                    keys = [fastest(runs, side, limit) for side in ("ours", who)]
                    both = [[of[key] for key in keys] for of in (runs, words)]
                    used = f"{limit}: {keys[0][1]} / {keys[1][1]}"
                    self.lines.append(row(task, size, used, *both))
                print(self.lines[-1], flush=True)
        kept = [
            {"who": who, "threads": count, "runs": of, "finds": words[who, count]}
            for (who, count), of in runs.items()
        ]
        self.rows.append({"task": task, "size": size, "sides": kept, "failed": failed})


def fastest(runs, who, limit):
    """Of the numbers of threads up to the limit the one on which this side was fastest: a pool that
    gains nothing, or waits for a core that others use, would only count against its side."""
    keys = [key for key in runs if key[0] == who and key[1] <= limit]
    return min(keys, key=lambda key: min(line["wall"] for line in runs[key]))


def short(value):
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def row(task, size, threads, runs, words):
    """One line of the table: best and median of the rounds, ratios theirs to ours of the best."""
    cells = []
    for name in ("wall", "cpu", "memory"):
        ours, theirs = ([line[name] for line in side] for side in runs)
        if None in theirs:
            cells += [f"{short(min(ours))} ({short(statistics.median(ours))}) / –", "–"]
            continue
        # Peak memory is not a matter of luck: its median.
        best = statistics.median if name == "memory" else min
        shown = [
            short(best(side)) + (f" ({short(statistics.median(side))})" if best is min else "")
            for side in (ours, theirs)
        ]
        cells.append(" / ".join(shown))
        cells.append(f"{best(theirs) / best(ours):.2g}" if best(ours) > 0 else "–")
    ours, theirs = runs[0][0], runs[1][0]
    precision = f"{ours['precision']} / {theirs['precision']}"
    return "| " + " | ".join([task, theirs["version"], size, threads, precision, *cells, *words]) + " |"


HEADER = (
    "| task | peer | size | threads at most: used | precision | wall s | ratio | CPU s | ratio | peak MB | "
    "ratio | ours finds | theirs finds |\n|" + "---|" * 13
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=", ".join(CASES))
    parser.add_argument("--quick", action="store_true", help="small sizes: whether everything runs")
    parser.add_argument("--rounds", type=int, help="rounds of each side (3; 1 with --quick)")
    parser.add_argument("--out", default="table.md", help="the table; every run goes to .json beside it")
    options = parser.parse_args()
    unknown = set(options.tasks) - set(CASES)
    if unknown:
        parser.error(f"no task {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    rounds = options.rounds or (1 if options.quick else 3)
    # Others' work hurts pools of threads most, and so not both sides alike.
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"the machine is busy (load {load:.1f}): do not trust these times", file=sys.stderr)
    programs = build()
    kind = "Quick sizes" if options.quick else "Full sizes"
    turns = "1 round" if rounds == 1 else f"{rounds} rounds in turn"
    about = (
        f"Load of the machine before: {load:.1f}. {kind}, {turns}: best (median), ours / theirs; ratios are "
        "theirs to ours, above 1 where ours takes less."
    )
    with tempfile.TemporaryDirectory(prefix="peers-", dir=os.path.join(ROOT, "target")) as work:
        bench = Bench(work, rounds, programs)
        print(f"{about}\n\n{HEADER}", flush=True)
        for task in options.tasks or CASES:
            peers, threads, full, quick = CASES[task]
            threads = threads[-1:] if options.quick else threads
            for place, case in enumerate(quick if options.quick else full):
                bench.case(task, peers, threads, dict(case), place)
    with open(options.out, "w") as file:
        file.write("\n".join([about, "", HEADER, *bench.lines, ""]))
    with open(os.path.splitext(options.out)[0] + ".json", "w") as file:
        json.dump(bench.rows, file, indent=1)


if __name__ == "__main__":
    main()
