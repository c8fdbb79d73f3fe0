"""What the kernels take of a multiprocessor, read from their machine code, compiled without a GPU.

The launches are recorded on tensors without memory, so what is compiled is what a call on a GPU would compile: the
same tiles, and the same arguments known to be 1 or multiples of 16. It runs in processes of their own, because in
this one Triton may be switched to its interpreter.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

import torch

from .. import cache
from ..table import ACTIVATIONS, ProblemLike
from . import elf, launch
from .record import Launch, Recorder
from .way import Way

ARCHITECTURES = ("sm_80", "sm_90", "sm_100", "sm_120")
MODULES = ("forward", "backward", "partials")
DTYPES = ("float32", "float16", "bfloat16")
_PACKAGE = Path(__file__).parents[1]


class CompileError(RuntimeError):
    """Triton refused; the message is the last line of what it said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a kernel takes: registers and spilled bytes of a thread, shared memory and warps of a program."""

    registers: int
    spill_bytes: int
    shared_bytes: int
    warps: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A shape whose launches have the largest tiles of their kind."""

    name: str
    shape: tuple[int, ...]
    groups: int
    channels_last: bool = False


CASES = (
    Case(name="whole", shape=(2, 512, 32, 32), groups=32),
    Case(name="whole, backward's largest", shape=(2, 128, 32, 32), groups=32),
    Case(name="whole, channels_last", shape=(2, 640, 16, 8), groups=32, channels_last=True),
    Case(name="whole, channels_last, backward's largest", shape=(2, 640, 8, 4), groups=32, channels_last=True),
    Case(name="small, packed", shape=(64, 2048), groups=32),
    Case(name="walk", shape=(2, 768, 32, 32), groups=32),
    Case(name="walk, channels_last", shape=(2, 1024, 24, 24), groups=32, channels_last=True),
    Case(name="split, few chunks", shape=(2, 320, 128, 128), groups=32, channels_last=True),
    Case(name="split", shape=(1, 128, 512, 512), groups=32),
    Case(name="split, channels_last", shape=(1, 128, 512, 512), groups=32, channels_last=True),
)
"""FLUX's VAE, SDXL's UNet and RWKV-7 are among them; each compiles the kernels of its regime, at their largest."""


def recording() -> tuple[Way, list[Launch]]:
    """Give kernels that are not launched, and the list that fills with what would have been."""
    made: list[Launch] = []
    modules = {name: Recorder(name, made) for name in MODULES}
    return Way(**modules, interpreted=False), made


def launches(dtype: str, cases: Collection[Case] = CASES, activation: str = "silu") -> Iterator[tuple[str, Launch]]:
    """Record every launch of these cases, forward with statistics and backward with all gradients."""
    for case in cases:
        x = torch.empty(case.shape, dtype=getattr(torch, dtype), device="meta")
        if case.channels_last:
            x = x.to(memory_format=torch.channels_last)
        parameter = torch.empty(case.shape[1], device="meta")
        statistics = torch.empty((case.shape[0], case.groups, 3), device="meta")
        number = ACTIVATIONS.index(activation)
        way, made = recording()
        launch.forward(x, case.groups, parameter, parameter, 1e-5, number, statistics, way=way)
        launch.backward(x, x, statistics, case.groups, parameter, parameter, number, True, True, True, way=way)
        for one in made:
            yield f"{one.module}.{one.kernel}/{case.name}/{dtype}", one


def launched(problem: ProblemLike, _arch: str) -> tuple[str, ...]:
    """Name what a call launches, in order: by the plan that is not tuned, which is the same on all architectures."""
    shape = (problem.N, problem.C, problem.H, problem.W)
    x = torch.empty(shape, dtype=getattr(torch, problem.dtype), device="meta")
    if problem.layout == "channels_last":
        x = x.to(memory_format=torch.channels_last)
    parameter = torch.empty(problem.C, device="meta") if problem.affine else None
    statistics = torch.empty((problem.N, problem.G, 3), device="meta")
    number = ACTIVATIONS.index(problem.activation)
    way, made = recording()
    if problem.direction == "backward":
        wanted = (True, problem.affine, problem.affine)
        launch.backward(x, x, statistics, problem.G, parameter, parameter, number, *wanted, way=way)
    else:
        kept = None if problem.direction == "forward" else statistics
        launch.forward(x, problem.G, parameter, parameter, problem.eps, number, kept, way=way)
    return tuple(one.kernel for one in made)


def inspect(arch: str, dtypes: Collection[str] = DTYPES, cases: Collection[str] = ()) -> dict[str, Resources]:
    """Give each kernel's resources on ``arch``, as ``sm_90``, at its largest tiles; needs no GPU.

    ``cases`` are names of ``CASES``, all of them if none is given. A quarter of a second a kernel, once.

    Raises
    ------
    CompileError
        Triton refuses, or does not know the architecture.
    """
    found: dict[str, Resources] = {}
    for dtype in dtypes:
        found |= _inspect(arch, dtype, *cases)
    return found


def _inspect(arch: str, dtype: str, *cases: str) -> dict[str, Resources]:
    import triton  # noqa: PLC0415 (an extra)

    def make(folder: Path) -> None:
        (folder / "resources.json").write_text(_in_own_process(arch, dtype, *cases))

    sources = [path.read_text() for path in sorted(Path(__file__).parent.glob("*.py"))]
    folder = cache.built("triton-machine", (arch, dtype, *cases, triton.__version__, torch.__version__, *sources), make)
    return {name: Resources(**figures) for name, figures in json.loads((folder / "resources.json").read_text()).items()}


def _in_own_process(arch: str, dtype: str, *cases: str) -> str:
    name = f"{_PACKAGE.name}.triton.machine"
    code = f"import sys; sys.path.insert(0, sys.argv.pop(1)); from {name} import main; main(*sys.argv[1:])"
    environment = os.environ | {"TRITON_INTERPRET": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(_PACKAGE.parent), arch, dtype, *cases],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise CompileError(f"{arch}, {dtype}: {lines[-1].strip() if lines else 'no reason given'}")
    return done.stdout


def main(arch: str, dtype: str, *names: str) -> None:
    """Write each kernel's resources to standard output as JSON."""
    cases = [case for case in CASES if not names or case.name in names]
    found = {name: asdict(compile_for(arch, one)) for name, one in launches(dtype, cases)}
    sys.stdout.write(json.dumps(found))


def compile_for(arch: str, one: Launch) -> Resources:
    """Compile what a launch on ``arch`` would."""
    from triton import compile as compiled  # noqa: PLC0415 (an extra)
    from triton.backends.compiler import GPUTarget  # noqa: PLC0415
    from triton.compiler import ASTSource  # noqa: PLC0415

    kernel = getattr(import_module(f"..{one.module}", __name__), one.kernel)
    source = ASTSource(kernel, *one.specialized(kernel.arg_names))
    made = compiled(source, target=GPUTarget("cuda", int(arch.removeprefix("sm_")), 32), options=one.options)
    taken = elf.read(made.asm["cubin"])
    return Resources(
        registers=taken.registers,
        spill_bytes=taken.local_bytes,
        shared_bytes=int(made.metadata.shared),
        warps=one.options["num_warps"],
    )
