#!/bin/sh
# Divides a command of sbcell into job arrays of Slurm. Needs sbcell and Slurm only. `submit.sh --help` tells more.
set -eu

usage() {
    cat << 'END'
Divide a command of sbcell into units, and do them as job arrays of Slurm

usage: submit.sh [OPTIONS] COMMAND [ARGUMENTS]     as after `sbcell`: fit, evaluate, interpolate, grn, …
       submit.sh [OPTIONS] --resume                submit the units without a result again

  --plan FILE         the plan; results of units and logs are beside it [default: plan.json]
  --threads N         threads of each unit [default: 1]
  --memory MB         memory of the first job [default: 4000]; with --resume, of each unit [default: see below]
  --minutes N         time limit, in the same way [default: 60]
  --at-once N         the largest number of units at a time [default: 100]
  --sbatch "OPTIONS"  options of sbatch for all jobs, such as "--partition=long --account=lab"
  --sbcell PATH       the program [default: sbcell]

The first job makes the plan and tries the largest unit of each kind; the script waits for it: use tmux or screen.
The other units are tasks of arrays: one array for each stage of the plan, which starts when the stage before has ended.
A task has the memory of the largest unit of its stage and three times its seconds, both as in the plan.
A task goes back into the queue when its node dies.
The last job puts the results together. It starts if all units succeed. If one fails, all later jobs are removed from
the queue: read the logs, then use --resume, for example with more --memory. Run both in the same folder.

example:
  submit.sh --threads 4 evaluate data.h5ad --timepoints day
END
}
stop() {
    echo "submit.sh: $1" >&2
    exit 2
}

plan=plan.json threads=1 memory='' minutes='' at_once=100 extra='' sbcell=sbcell resume=false
while [ $# -gt 0 ]; do
    case "$1" in
        --resume) resume=true && shift && continue ;;
        -h | --help) usage && exit ;;
        --plan | --threads | --memory | --minutes | --at-once | --sbatch | --sbcell) ;;
        -*) stop "there is no option $1; \`submit.sh --help\` lists all. Flags of sbcell stand after the command" ;;
        *) break ;;
    esac
    [ $# -gt 1 ] || stop "$1 needs a value"
    case "$1" in
        --plan) plan="$2" ;;
        --sbatch) extra="$2" ;;
        --sbcell) sbcell="$2" ;;
        *)
            case "$2" in '' | *[!0-9]*) stop "$1 must be a whole number, got \`$2\`" ;; esac
            case "$1" in
                --threads) threads="$2" ;;
                --memory) memory="$2" ;;
                --minutes) minutes="$2" ;;
                --at-once) at_once="$2" ;;
            esac
            ;;
    esac
    shift 2
done

if $resume; then
    [ $# = 0 ] || stop "--resume goes on with the command in $plan; give none"
    [ -f "$plan" ] || stop "there is no plan $plan"
else
    [ $# -gt 0 ] || stop "give a command of sbcell; \`submit.sh --help\` has an example"
    [ ! -e "$plan" ] || stop "$plan exists: go on with --resume, remove it, or name another with --plan"
    # shellcheck disable=SC2086
    srun --job-name=sbcell-plan --ntasks=1 --cpus-per-task="$threads" --mem="${memory:-4000}" --time="${minutes:-60}" \
        $extra "$sbcell" plan --out "$plan" --threads "$threads" "$@"
fi

parts="${plan%.json}.parts"
mkdir -p "$parts/logs"
# The units, one a line: number, stage, bytes of memory, whole seconds. The last two are `null` where the plan has none.
units="$(sed -nE 's/^ *"(unit|stage|memory_bytes|seconds)": *([0-9]+|null).*/\2/p' "$plan" | paste -d ' ' - - - -)"
[ -n "$units" ] || stop "$plan has no units"
# `column K STAGE` prints a column of the units of a stage, or of all units, without `null`.
column() { echo "$units" | awk -v k="$1" -v stage="${2:-}" '(stage == "" || $2 == stage) && $k != "null" {print $k}'; }
largest() { column "$@" | sort -n | tail -n 1; }
# `needs STAGE` sets the memory in MB and the time in minutes of the largest unit of a stage, or of all units.
needs() {
    mb="$(largest 3 "${1:-}")"
    mb="${mb:+$((mb / 1048576 + 50))}"
    limit="$(largest 4 "${1:-}")"
    limit="${limit:+$((limit * 3 / 60 + 10))}"
    # With --resume, what the user gives comes first: the plan's was perhaps too little.
    if $resume; then mb="${memory:-$mb}" limit="${minutes:-$limit}"; fi
    mb="${mb:-${memory:-4000}}" limit="${limit:-${minutes:-60}}"
}

# The jobs carry these texts, since some sites do not pass the environment on.
quoted() {
    printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"
}
program="$(quoted "$sbcell")"
of="$(quoted "$plan") --threads $threads"
# $extra holds several words.
# shellcheck disable=SC2086
submit() {
    sbatch --parsable --ntasks=1 --cpus-per-task="$threads" --mem="$mb" --time="$limit" \
        --requeue --open-mode=append $extra "$@" | cut -d ';' -f 1
}

# The array of each stage waits for the one before; the merge waits for the last.
set --
for stage in $(column 2 | uniq); do
    # A unit is open if its file is not there. `sbcell merge` checks the contents.
    open=''
    for unit in $(column 1 "$stage"); do
        [ -s "$parts/$unit.json" ] || open="$open${open:+,}$unit"
    done
    [ -n "$open" ] || continue
    # A range is short enough for any number of units.
    range="${open%%,*}-${open##*,}"
    [ "$open" != "$(seq -s , "${range%-*}" "${range#*-}")" ] || open="$range"
    needs "$stage"
    array="$(submit "$@" --job-name=sbcell-step --array="$open%$at_once" --output="$parts/logs/%a.txt" \
        --wrap "exec $program step $of --unit \$SLURM_ARRAY_TASK_ID")"
    [ -n "$array" ] || exit 1
    echo "units $open: job $array, $mb MB and $limit min each, logs in $parts/logs"
    set -- --dependency="afterok:$array" --kill-on-invalid-dep=yes
done
[ $# -gt 0 ] || echo "all units have a result"
needs
merge="$(submit "$@" --job-name=sbcell-merge --output="$parts/logs/merge.txt" \
    --wrap "exec $program merge $of")"
[ -n "$merge" ] || exit 1
echo "merge: job $merge, log in $parts/logs/merge.txt"
