#!/bin/bash
# Trains on two nodes of four GPUs, one process for each GPU. Run it in a checkout that all nodes can read:
#   sbatch deploy/training/slurm.sh
#SBATCH --job-name=pixel-zoo
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-task=1
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

# The addresses in the order of Slurm's tasks: first those of the first node.
addresses=()
for node in $(scontrol show hostnames "$SLURM_JOB_NODELIST"); do
  for ((task = 0; task < SLURM_NTASKS_PER_NODE; task++)); do
    addresses+=("\"$node:$((23450 + task))\"")
  done
done
export WORKERS
WORKERS=$(IFS=,; echo "${addresses[*]}")

# If one process fails, all are stopped, and the job is requeued, up to 20 times.
srun --distribution=block --kill-on-bad-exit=1 bash -c '
  export TF_CONFIG="{\"cluster\": {\"worker\": [$WORKERS]}, \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
  exec pixel-zoo train recipes/cifar10.py --model gated --output runs/cifar_gated \
    --distribute multiworker --resume --checkpoint-steps 500
' || { ((${SLURM_RESTART_COUNT:-0} < 20)) && scontrol requeue "$SLURM_JOB_ID"; }
