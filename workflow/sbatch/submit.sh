#!/bin/sh
# Divides a command of sbcell into a job array of Slurm. Needs sbcell and Slurm only. `submit.sh --help` tells more.
set -eu

usage() {
    cat << 'END'
Divide a command of sbcell into units, and do them as a job array of Slurm

usage: submit.sh [OPTIONS] COMMAND [ARGUMENTS]     as after `sbcell`: fit, evaluate, grn, fates, transitions
       submit.sh [OPTIONS] --resume                submit the units without a result again

  --plan FILE         the plan; results of units and logs are beside it [default: plan.json]
  --threads N         threads of each unit [default: 1]
  --memory MB         memory of the first job [default: 4000]; with --resume, of each unit [default: see below]
  --minutes N         time limit, in the same way [default: 60]
  --at-once N         the largest number of units at a time [default: 100]
  --sbatch "OPTIONS"  options of sbatch for all jobs, such as "--partition=long --account=lab"
  --sbcell PATH       the program [default: sbcell]

The first job makes the plan and does the unit with the most work; the script waits for it, so run it in tmux or screen.
The other units are the tasks of one array, with the memory of the largest in the plan and three times its seconds.
A task goes back into the queue when its node dies.
The last job puts the results together. It starts if all units succeed, and is removed from the queue if one fails:
read the logs, then use --resume, for example with more --memory. Run both in the same folder.

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

# The largest value of a field of the units; nothing if the plan states none.
largest() {
    sed -n "s/^ *\"$1\": *\([0-9][0-9]*\).*/\1/p" "$plan" | sort -n | tail -n 1
}
# With --resume, what the user gives comes first: the plan's was perhaps too little.
stated="$(largest memory_bytes)"
if [ -n "$stated" ] && { ! $resume || [ -z "$memory" ]; }; then
    memory=$((stated / 1048576 + 50))
fi
stated="$(largest seconds)"
if [ -n "$stated" ] && { ! $resume || [ -z "$minutes" ]; }; then
    minutes=$((stated * 3 / 60 + 10))
fi
parts="${plan%.json}.parts"
mkdir -p "$parts/logs"

# A unit is open if its file is not there. `sbcell merge` checks the contents.
last="$(largest unit)"
open=''
unit=0
while [ "$unit" -le "${last:?$plan has no units}" ]; do
    [ -s "$parts/$unit.json" ] || open="$open${open:+,}$unit"
    unit=$((unit + 1))
done

# The jobs carry these texts, since some sites do not pass the environment on.
quoted() {
    printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"
}
program="$(quoted "$sbcell")"
of="$(quoted "$plan") --threads $threads"
# $extra holds several words.
# shellcheck disable=SC2086
submit() {
    sbatch --parsable --ntasks=1 --cpus-per-task="$threads" --mem="${memory:-4000}" --time="${minutes:-60}" \
        --requeue --open-mode=append $extra "$@" | cut -d ';' -f 1
}
if [ -n "$open" ]; then
    # The plan numbers units without gaps: a range is short enough for any number of them.
    [ "$open" != "$(seq -s , 0 "$last")" ] || open="0-$last"
    array="$(submit --job-name=sbcell-step --array="$open%$at_once" --output="$parts/logs/%a.txt" \
        --wrap "exec $program step $of --unit \$SLURM_ARRAY_TASK_ID")"
    [ -n "$array" ] || exit 1
    echo "units: job $array, logs in $parts/logs"
    set -- --dependency="afterok:$array" --kill-on-invalid-dep=yes
else
    echo "all units have a result"
    set --
fi
merge="$(submit "$@" --job-name=sbcell-merge --output="$parts/logs/merge.txt" \
    --wrap "exec $program merge $of")"
[ -n "$merge" ] || exit 1
echo "merge: job $merge, log in $parts/logs/merge.txt"
