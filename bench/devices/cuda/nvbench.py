"""NVIDIA's nvbench as the timer, in this process, one batch a benchmark. Needs the extra ``nvbench`` (cuda-bench).

nvbench owns its loop: its own stream, blocking kernel, flush of exactly the L2 cache, and its own look at the clock (it
throws samples below 75 % of the default clock away and takes others). We give it the call and the number of samples.
Cold is its mean of isolated samples, warm its mean of one batch. Its figures are here to be set beside ours.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.devices.base import Call, TimingRefused
from bench.devices.cuda.events import Timed
from bench.devices.cuda.runtime import Runtime
from reports.schema import Status

NAME = "gnbench_call"
_BATCH_MEAN = "nv/batch/time/gpu/mean"
_BATCH_S = 2.5e-3
"""As long as a batch of ours; its own half a second would be spent in each round."""
_TIMEOUT_S = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Nvbench:
    """``cuda.bench``, and its reader of results: a path to a result."""

    bench: Any
    read: Callable[[Path], Any]


def _imported() -> Nvbench:
    import cuda.bench  # noqa: PLC0415 - an extra's package
    from cuda.bench.results import BenchmarkResult  # noqa: PLC0415

    return Nvbench(bench=cuda.bench, read=BenchmarkResult.from_json)


class NvbenchTimer:
    """Gives nvbench one call at a time.

    Parameters
    ----------
    runtime
        torch's CUDA.
    observe
        Called after each batch: nvbench leaves no moment while it runs.
    nvbench
        The package; None to import it.
    """

    def __init__(self, runtime: Runtime, observe: Callable[[], None], nvbench: Nvbench | None = None) -> None:
        nvbench = nvbench or _imported()
        self._runtime = runtime
        self._observe = observe
        self._nvbench = nvbench
        self._call: Call | None = None
        self._cold = True
        self._output: Any = None
        self._error: BaseException | None = None
        nvbench.bench.register(self._benchmark).set_name(NAME)

    def forget(self) -> None:
        """Let go of the last call's tensors."""
        self._call = self._output = self._error = None

    def time(self, call: Call, calls: int, *, cold: bool) -> Timed:
        """Time a batch.

        Raises
        ------
        TimingRefused
            nvbench skipped it, or gave no figure.
        """
        self.forget()
        self._call, self._cold = call, cold
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "nvbench.json"
            try:
                self._nvbench.bench.run_all_benchmarks(_command(path, calls))
            finally:
                # What the call raised says more than what nvbench makes of it.
                if self._error is not None:
                    raise self._error
            self._observe()
            self._runtime.synchronize()
            call_s = self._call_seconds(path)
        output = self._output
        self.forget()
        return Timed(seconds=call_s * calls, output=output)

    def _call_seconds(self, path: Path) -> float:
        state = self._nvbench.read(path)[NAME][0]
        if state.is_skipped:
            raise TimingRefused(Status.FAILED, f"nvbench skipped it: {state.skip_reason}")
        if self._cold:
            seconds = statistics.fmean(state.samples) if state.samples else None
        else:
            seconds = state.summaries[_BATCH_MEAN].value if _BATCH_MEAN in state.summaries else None
        if seconds is None:
            raise TimingRefused(Status.FAILED, "nvbench gave no time for it")
        return float(seconds)

    def _benchmark(self, state: Any) -> None:
        state.set_timeout(_TIMEOUT_S)
        state.set_batch_target_time(_BATCH_S)
        state.exec(self._launch, batched=not self._cold)

    def _launch(self, launch: Any) -> None:
        assert self._call is not None
        try:
            with self._runtime.on_stream(launch.get_stream().addressof()):
                self._output = None
                self._output = self._call()
        except BaseException as error:
            self._error = error
            raise


def _command(path: Path, calls: int) -> list[str]:
    samples = str(max(2, calls))  # of one sample there is no spread, which nvbench prints
    return [
        "gnbench",
        *("--benchmark", NAME, "--devices", "0", "--quiet", "--cold-warmup-runs", "1"),
        *("--stopping-criterion", "sample-count", "--target-samples", samples, "--min-samples", samples),
        *("--jsonbin", str(path)),
    ]
