# Runs its part of one sweep, without Ray. Arguments are those of 'ratefront part':
#
#     sbatch --array=0-15 array.sbatch FILE.yaml --of 16 --storage /shared/sweeps
#
# The same command goes on with an unfinished sweep. When all parts are done, 'ratefront sync' logs it and draws it.
set -eu

command -v ratefront >/dev/null || { echo "ratefront is not on the PATH: activate its environment, then sbatch" >&2; exit 2; }

exec ratefront part "$@" --number "$SLURM_ARRAY_TASK_ID"
