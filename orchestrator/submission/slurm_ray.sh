# Runs one sweep with Ray over the nodes of this job. Arguments are those of 'ratefront sweep', without --address:
#
#     sbatch --nodes=4 --time=12:00:00 sweep.sbatch FILE.yaml --storage /shared/sweeps --tracking-uri http://host:5000
#
# The same command goes on with an unfinished sweep; so does Slurm itself, before the time limit and after pre-emption.
# Nodes may be shared with other jobs: this Ray has ports, a token and a folder of its own, and only it is ended.
set -eu

command -v ratefront >/dev/null || { echo "ratefront is not on the PATH: activate its environment, then sbatch" >&2; exit 2; }

RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(python3 -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_MODE RAY_AUTH_TOKEN
# a node that hangs is given up after some 7 s instead of 67
export RAY_health_check_initial_delay_ms=1000 RAY_health_check_period_ms=1000
export RAY_health_check_timeout_ms=1000 RAY_health_check_failure_threshold=3
export RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0 # nothing is left to be drained when the driver has ended

port=$((20000 + SLURM_JOB_ID % 10000))
folder=$(mktemp -d /tmp/rf-XXXXXX) # short: sockets lie in it
cpus=${SLURM_CPUS_PER_TASK:-1}
gpus=${SLURM_GPUS_ON_NODE:-0}
started="" # pids

patience=60 # seconds for each

# shellcheck disable=SC2329 # the trap calls it
end() {
    trap - EXIT
    for pid in $started; do # the driver first: it says goodbye to the others
        kill "$pid" 2>/dev/null || continue
        (sleep "$patience"; kill -9 "$pid") 2>/dev/null & # Ray may not listen while it starts
        killer=$!
        wait "$pid" 2>/dev/null || true
        kill "$killer" 2>/dev/null || true
    done
    pkill -KILL -f "$folder" 2>/dev/null || true # what is left of a Ray that had to be killed; the name is ours alone
    rm -rf "$folder" || { sleep 1; rm -rf "$folder"; } # what dies last may write once more
}
trap end EXIT
trap 'patience=8; exit 143' TERM # Slurm kills this script 30 s after it asked it to end

ray start --head --port="$port" --block --temp-dir="$folder" --num-cpus="$cpus" --num-gpus="$gpus" \
    --min-worker-port=0 --max-worker-port=0 --include-dashboard=false --disable-usage-stats >"$folder/start.log" 2>&1 &
head=$!
started="$head"
until address=$(cat "$folder/ray_current_cluster" 2>/dev/null) && ray health-check --address "$address" >/dev/null 2>&1; do
    kill -0 "$head" 2>/dev/null || { cat "$folder/start.log" >&2; exit 1; }
    sleep 1
done

if [ "${SLURM_JOB_NUM_NODES:-1}" -gt 1 ]; then
    export address folder cpus gpus
    # one after the other: raylets that start at the same moment may abort
    # shellcheck disable=SC2016 # each node expands it
    srun --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) --ntasks-per-node=1 \
        --cpus-per-task="$cpus" --exclude="$SLURMD_NODENAME" --kill-on-bad-exit=0 sh -c '
            sleep "$SLURM_PROCID"
            ray start --address="$address" --block --temp-dir="$folder" --num-cpus="$cpus" --num-gpus="$gpus" \
                --min-worker-port=0 --max-worker-port=0 --disable-usage-stats &
            trap "kill $! 2>/dev/null; wait; rm -rf $folder" EXIT
            trap "exit 143" TERM
            wait $!' >/dev/null &
    started="$started $!"
fi

ratefront sweep "$@" --resume --address "$address" &
driver=$!
started="$driver $started"
# 120 s before the time limit: trials have their checkpoints, MLflow is brought up to date, and the job queues again
trap 'end; exec scontrol requeue "$SLURM_JOB_ID"' USR1
code=0
wait "$driver" || code=$?
exit "$code"
