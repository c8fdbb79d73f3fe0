"""The table of faults: what each row of ``plugins`` does, what becomes of it, and why; it makes ``docs/faults.md``.

python tests/faults/page.py > docs/faults.md
"""

import ast
from pathlib import Path

PLUGINS = Path(__file__).parent / "plugins"
LATE = "right when checked, wrong while timed: …"
UNSEEN = "wrong for contents it had never seen, at an address it had: …"

FAMILIES = {
    "good": (
        "No fault",
        [(name, "ok", None) for name in ("right", "twice", "seeds", "recursion", "joins", "pools", "reuses")],
    ),
    "noise": ("Output", [(name, "ok", None) for name in ("chatty", "garbage", "floods")]),
    "deaths": (
        "Deaths",
        [
            ("segfaults", "crashed", "SIGSEGV (segmentation fault)"),
            ("segfaults-later", "crashed", "SIGSEGV (segmentation fault)"),
            ("aborts", "crashed", "SIGABRT (aborted)"),
            ("divides", "crashed", "SIGFPE (floating point exception)"),
            ("exits", "crashed", "exited with status 3"),
            ("leaves", "failed", "SystemExit: 0"),
            ("interrupts", "failed", "KeyboardInterrupt"),
            ("kills-itself", "crashed", "SIGKILL (killed)"),
            ("kills-parent", "crashed", "its zygote is gone too"),
            ("closes-descriptors", "crashed", "closed the worker's connection to the driver"),
            ("closes-and-stays", "crashed", "closed the worker's connection to the driver and went on"),
        ],
    ),
    "native_dies": ("torch's own", [("native-dies", "crashed", "SIGSEGV (segmentation fault)")]),
    "hangs": (
        "No end",
        [
            ("sleeps", "timeout", "no answer in … s"),
            ("loops", "timeout", "no answer in … s"),
            ("loops-in-c", "timeout", "no answer in … s"),
            ("deaf", "timeout", "no answer in … s"),
        ],
    ),
    "memory": (
        "Memory",
        [
            ("greedy", "out_of_memory", "RuntimeError: …can't allocate memory… (… GiB may be taken here)"),
            ("hoards", "out_of_memory", "RuntimeError: …can't allocate memory… (… GiB may be taken here)"),
            ("hoards-bytes", "out_of_memory", "MemoryError (… GiB may be taken here)"),
            ("hoards-and-aborts", "out_of_memory", "SIGABRT (aborted), having held … GiB of the … GiB that it may"),
            ("mallocs", "out_of_memory", "MemoryError: malloc gave nothing (… GiB may be taken here)"),
            ("shares", "out_of_memory", "took … GiB with its children, where … GiB are allowed"),
        ],
    ),
    "numbers": (
        "Answers",
        [
            ("raises", "failed", "RuntimeError: no kernel image"),
            ("raises-later", "failed", "…RuntimeError: enough"),
            ("wrong", "incorrect", "error … ULP) where … is allowed"),
            ("wrong-shape", "incorrect", "returned shape (1, 1, 9, 7) where (2, 8, 9, 7) was expected"),
            ("wrong-dtype", "incorrect", "returned torch.float64 where torch.float32 was expected"),
            ("no-tensor", "incorrect", "returned ndarray, not a tensor"),
            ("nothing", "incorrect", "returned NoneType, not a tensor"),
            (
                "sparse",
                "incorrect",
                "returned a tensor of layout torch.sparse_coo where torch.strided was expected",
            ),
            ("broadcasts", "incorrect", "returned a tensor whose elements share memory"),
            ("nan", "incorrect", "1 of 1,008 values are not finite where the oracle's are, or the reverse"),
            ("input", "incorrect", "returned the memory of its input"),
        ],
    ),
    "state": (
        "What everybody shares",
        [
            (name, "inconsistent", f"changed {what}, which is everybody's")
            for name, what in (
                ("threads", "torch's number of threads"),
                ("dtype", "the default dtype"),
                ("dtype-later", "the default dtype"),
                ("device", "torch's modes (the default device is one)"),
                ("deterministic", "deterministic algorithms"),
                ("grad-mode", "the grad mode"),
                ("inference-mode", "inference mode"),
                ("autocast", "autocast"),
                ("precision", "the float32 matmul precision"),
                ("denormals", "how numbers are rounded or denormals flushed"),
                ("stdout", "sys.stdin, sys.stdout or sys.stderr"),
                ("stdout-closed", "a standard descriptor"),
                ("directory", "the working directory"),
                ("environment", "the environment of thread pools and libraries"),
                ("handler", "a signal's handler"),
                ("blocks", "the blocked signals"),
                ("alarm", "a running timer"),
                ("collector", "the garbage collector"),
                ("cores", "the cores it may use"),
                ("nice", "the scheduling"),
            )
        ],
    ),
    "threads": (
        "Threads",
        [
            ("computes-on", "inconsistent", "left a thread computing after its call had returned"),
            ("computes-later", "inconsistent", "left a thread computing in other rows' time"),
            ("lingers", "inconsistent", "left a thread at work after its call had returned"),
            ("answers-late", "inconsistent", "its output was still being written when its call had returned"),
        ],
    ),
    "processes": (
        "Processes",
        [
            ("forks", "inconsistent", "left … process…behind when its call had returned"),
            ("forks-a-sleeper", "inconsistent", "left 2 processes behind when its call had returned"),
            ("starts-a-program", "inconsistent", "left 2 processes behind when its call had returned"),
            ("daemonises", "inconsistent", "left 2 processes behind when its call had returned"),
            ("forks-and-dies", "crashed", "SIGSEGV (segmentation fault)"),
        ],
    ),
    "liars": (
        "Lies",
        [
            ("remembers", "inconsistent", LATE),
            ("replays-by-pointer", "inconsistent", UNSEEN),
            (
                "replays-by-content",
                "inconsistent",
                "answers repeated inputs from memory: … times slower on contents never seen",
            ),
            ("stale", "inconsistent", UNSEEN),
            ("rests", "inconsistent", UNSEEN),
            (
                "lazy",
                "incorrect",
                "returned Lazy, a subclass of torch.Tensor, which may compute when it is looked at",
            ),
            ("patches-clock", "inconsistent", "replaced time.perf_counter_ns, which is everybody's"),
            ("patches-device", "inconsistent", "replaced bench.devices.cpu._warm_parts, which is everybody's"),
            ("patches-judge", "inconsistent", "replaced bench.measure.opened.judge, which is everybody's"),
            ("patches-native", "inconsistent", "replaced torch.nn.functional.group_norm, which is everybody's"),
            ("in-place", "inconsistent", "changed its inputs"),
            ("zeroes", "inconsistent", "changed its inputs"),
            ("scribbles-later", "inconsistent", "changed its inputs"),
            ("recycles", "incorrect", "…"),
            ("recycles-later", "inconsistent", LATE),
            ("keeps", "inconsistent", "keeps every output that it returned, so memory grows with each call"),
            ("recompiles", "unsteady", "while timed: torch.compile compiled … anew"),
            ("runs-a-compiler", "unsteady", "while timed: ran another program, such as a compiler"),
        ],
    ),
    "meddles": (
        "Import",
        [
            (
                "meddles",
                "unavailable",
                "its import replaced torch.nn.functional.group_norm, which is everybody's",
            )
        ],
    ),
}
"""For each plugin file a heading and its rows: name, status, reason. A "…" in a reason stands for anything."""

HEAD = """# Faults, and what becomes of them

Each of these rows exists in [tests/faults/plugins](../tests/faults/plugins). The tests put all of them into one block
beside rows without fault, through real workers: each gets the status and the reason below, for its own cell alone, and
every other cell is measured as if they were not there. This page is made from the tests' table (`python
tests/faults/page.py`), and a test holds the two together. A "…" stands for a number or a rest that varies.
"""


def what_rows_do() -> dict[str, str]:
    """Read what each row says of itself, without importing it."""
    told: dict[str, str] = {}
    for path in PLUGINS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                for decorator in node.decorator_list:
                    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "register":
                        told[ast.literal_eval(decorator.args[0])] = ast.get_docstring(node) or ""
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "_row" and node.args:
                told[ast.literal_eval(node.args[0])] = ast.literal_eval(node.args[1])
    return told


def page() -> str:
    """Write the page."""
    told = what_rows_do()
    lines = [HEAD]
    for heading, rows in FAMILIES.values():
        lines += [f"## {heading}\n", "| row | what it does | status | reason |", "| --- | --- | --- | --- |"]
        lines += [f"| `{name}` | {told[name]} | `{status}` | {reason or ''} |" for name, status, reason in rows]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")
