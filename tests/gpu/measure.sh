#!/usr/bin/env bash
# On a machine with a GPU: the device's tests, the tables of goals beside the roofline model's figures, then the same
# small cells by each timer, set side by side. Under 8 minutes.
#   tests/gpu/measure.sh            writes to $OUT, or ./gpu-out
# DEVICE=cpu GOALS=FILE.toml ROWS=native,naive BUDGET=1 tries all but the timers on a machine without a GPU.
# No setting of the GPU is changed. A timer whose package is missing is left out and named.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
unset PYTHONSAFEPATH # this checkout is measured, and its scripts import each other

python=${PYTHON:-python}
out=${OUT:-./gpu-out}
device=${DEVICE:-cuda}
rows=${ROWS:-native,compiled,triton,cuda}
cold=$([[ $device == cpu ]] && echo warm || echo cold)

if [[ $device == cuda ]] && ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  echo "no CUDA device: nothing was measured" >&2
  exit 2
fi
if [[ -n $(ls -A "$out" 2>/dev/null) ]]; then
  echo "$out is not empty: old figures would be shown as new; name another folder in OUT" >&2
  exit 2
fi
mkdir -p "$out"
"$python" -m bench doctor >"$out/doctor.txt" 2>&1
nvidia-smi -q >"$out/nvidia-smi.txt" 2>&1 || true

echo "== tests/gpu"
timeout 120 "$python" -m pytest -q -m gpu tests/gpu 2>&1 | tee "$out/tests.txt"
failed=${PIPESTATUS[0]}

# One run a part, so that a part that takes too long costs the others nothing; a run told to stop keeps what it has.
goals() { # name seconds arguments...
  local name=$1 limit=$2 left=$((420 - SECONDS)) status
  shift 2
  echo "== goals-$name"
  if ((left < 30)); then
    echo "left out: its time is over"
    failed=1
    return
  fi
  timeout -k 10 "$((left < limit ? left : limit))" "$python" -m bench run --device "$device" --cache "$cold" --passes 3 \
    --impl "$rows" --out "$out/goals-$name" "$@" >"$out/goals-$name.txt" 2>&1
  status=$?
  tail -n 1 "$out/goals-$name.txt"
  # 1: a cell has no figure, which the table tells; 124: stopped.
  [[ $status -eq 0 || $status -eq 1 || $status -eq 124 ]] || failed=1
}
goals forward 110 --config "${GOALS:-tests/gpu/goals.toml}" --layout contiguous,channels_last --direction forward \
  --activation silu --budget "${BUDGET:-60}"
goals backward 110 --config "${GOALS:-tests/gpu/goals.toml}" --layout contiguous,channels_last --direction backward \
  --activation silu --budget "${BUDGET:-60}"
goals kernelbench 80 --config "${GOALS:-tests/gpu/kernelbench.toml}" --budget "${BUDGET:-15}"
name=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1)
if [[ $device == cpu ]]; then
  "$python" tests/gpu/goals.py "$out" "no GPU, a dry run beside the model's H100"
  exit "$((failed | $?))"
fi
"$python" tests/gpu/goals.py "$out" "$name" || failed=1

# Small, middle and large: launch-bound, in L2, in memory. Three passes are what the timers' comparison needs.
problems=(-N 1,2 -C 320 -H 16,64 -W 64 -G 32 --dtype bfloat16)
for cache in cold warm; do
  for timer in events graph cupti nvbench; do
    echo "== $timer, $cache"
    left=$((450 - SECONDS))
    if ((left < 15)); then
      echo "left out: the 8 minutes are over"
      failed=1
      continue
    fi
    # 1: a cell has no figure, which the comparison tells; 2: the timer's package is missing, as its line says.
    timeout "$((left < 60 ? left : 60))" "$python" -m bench run --device cuda --timer "$timer" --cache "$cache" "${problems[@]}" \
      --impl native,triton,cuda --budget 8 --passes 3 --out "$out/$timer-$cache" >"$out/$timer-$cache.txt" 2>&1
    status=$?
    tail -n 1 "$out/$timer-$cache.txt"
    [[ $status -eq 0 || $status -eq 1 || $status -eq 2 ]] || failed=1
  done
done

"$python" tests/gpu/compare_timers.py "$out" || failed=1
exit "$failed"
