"""pytest-benchmark as a door to the suite: a fixture, a marker, and the gate at the end of a test run.

Inert unless used: without the fixture, the marker or ``--gnbench-gate`` nothing is imported and nothing is run.

::

    @pytest.mark.group_norm(N=[1, 2], C=320, H=64, W=64, G=[32, "C/16"], dtype="bfloat16")
    def test_mine(group_norm_benchmark):
        group_norm_benchmark(mine)  # mine(x, num_groups, weight, bias, eps)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bench.against import Found
    from bench.gate.asked import Gated
    from bench.measure.alone import Alone
    from bench.plan.problem import Problem

_MARKER = "group_norm"
_PROBLEM, _ROW = "_gnbench_problem", "_gnbench_row"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("gnbench", "GroupNorm benchmarks (groupnorm-bench)")
    group.addoption("--gnbench-impl", default="native", metavar="NAMES", help="What group_norm_benchmark() runs.")
    group.addoption("--gnbench-plugin", action="append", default=[], metavar="FILE", help="A file with @register.")
    group.addoption("--gnbench-device", default="cpu", metavar="DEVICE", help="cpu (default) or cuda.")
    group.addoption(
        "--gnbench-gate",
        metavar="REV",
        help="At the end hold the rows and problems that were run against this git revision, or a stored baseline.",
    )
    group.addoption("--gnbench-budget", type=float, default=120.0, metavar="S", help="Seconds for --gnbench-gate.")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and remember what was run."""
    axes = "N=…, C=…, H=…, W=…, G=…, dtype=…, layout=…, direction=…, activation=…"
    config.addinivalue_line("markers", f"{_MARKER}({axes}): problems of group_norm_benchmark; lists are expanded.")
    config.stash[_RUN] = []
    if config.pluginmanager.hasplugin("benchmark"):
        config.pluginmanager.register(_Facts(), "gnbench-facts")


_RUN = pytest.StashKey[list[tuple[str, "Problem"]]]()
_GATED = pytest.StashKey[Any]()


class _Facts:
    """Hooks of pytest-benchmark, which pytest knows only where that plugin is."""

    def pytest_benchmark_update_machine_info(self, config: pytest.Config, machine_info: dict[str, Any]) -> None:
        """Say in its JSON what the reports want to know of the machine."""
        if config.stash[_RUN]:
            from bench import host
            from bench.record.pytest_benchmark import FACTS

            machine_info[FACTS] = {**host.facts(), "reference": "native"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Expand the marker's axes into problems, and ``--gnbench-impl`` into rows."""
    if "group_norm_benchmark" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker(_MARKER)
    if marker is None:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid}: group_norm_benchmark wants @pytest.mark.group_norm(N=…, C=…, H=…, W=…, G=…)"
        )
    problems = _problems(metafunc.definition.nodeid, marker, metafunc.config.getoption("--gnbench-device"))
    metafunc.fixturenames += [_PROBLEM, _ROW]
    metafunc.parametrize(_PROBLEM, problems, ids=[problem.key for problem in problems])
    metafunc.parametrize(_ROW, _rows(metafunc.config))


def _rows(config: pytest.Config) -> list[str]:
    return [name.strip() for name in config.getoption("--gnbench-impl").split(",") if name.strip()]


def _problems(where: str, marker: pytest.Mark, device: str) -> list[Problem]:
    from bench.errors import UsageError
    from bench.plan.axes import READERS
    from bench.plan.sweep import Axes, Sweep, expand

    try:
        if marker.args:
            raise UsageError(_MARKER, "takes no positional arguments", "name the axes: N=2")
        unknown = [name for name in marker.kwargs if name not in READERS]
        if unknown:
            raise UsageError(_MARKER, f"has no axis {unknown[0]!r}", f"known are {', '.join(READERS)}")
        missing = [name for name in ("N", "C", "H", "W", "G") if name not in marker.kwargs]
        if missing:
            raise UsageError(_MARKER, f"{missing[0]} is missing", f"add {missing[0]}=1 or a list")
        axes: dict[str, Any] = {
            name: READERS[name](_text(value), f"{_MARKER}({name}=…)") for name, value in marker.kwargs.items()
        }
        expansion = expand(Sweep(entries=(Axes(**axes),), device=device))
        if not expansion.problems:
            reasons = "; ".join(left.reason for left in expansion.left_out)
            raise UsageError(_MARKER, f"leaves no valid problem ({reasons})", "give other C or G")
    except UsageError as error:
        raise pytest.UsageError(f"{where}: {error}") from None
    return [one.problem for one in expansion.problems]


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(_text(one) for one in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.fixture
def group_norm_benchmark(request: pytest.FixtureRequest) -> Callable[..., Alone]:
    """Check an implementation on this test's problem and time it with pytest-benchmark's own fixture.

    ``group_norm_benchmark(f)`` calls ``f(x, num_groups, weight, bias, eps)``; without f it runs ``--gnbench-impl``.
    The test fails where the result is wrong, and is skipped where a row does not take the problem.
    """
    from bench.measure.alone import alone

    problem, row = request.getfixturevalue(_PROBLEM), request.getfixturevalue(_ROW)
    benchmark = request.getfixturevalue("benchmark")
    plugins = [Path(plugin) for plugin in request.config.getoption("--gnbench-plugin")]

    def run(function: Callable[..., Any] | None = None) -> Alone:
        if function is not None and row != _rows(request.config)[0]:
            pytest.skip("a test with a function of its own runs once, whatever --gnbench-impl names")
        found = alone(problem, row, function, plugins=plugins)
        if found.refused is not None:
            pytest.skip(found.refused)
        benchmark.group = problem.key
        benchmark.extra_info.update(found.columns)
        if found.wrong is not None:
            pytest.fail(f"{found.name} is wrong: {found.wrong}", pytrace=False)
        if function is None:
            request.config.stash[_RUN].append((row, problem))
        if found.stopwatch is not None:
            benchmark._timer = found.stopwatch  # noqa: SLF001 - its marker takes a timer, its fixture has no door
        benchmark(found.call)
        return found

    return run


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Run the gate where it was asked for, and let its verdict be the session's."""
    config = session.config
    against, run = config.getoption("--gnbench-gate"), config.stash.get(_RUN, [])
    if against is None or session.exitstatus not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        return
    from bench.errors import Stopped, UsageError
    from reports.gate_schema import Outcome

    try:
        found = _gate(against, run, config)
    except (UsageError, Stopped) as error:
        config.stash[_GATED] = f"gnbench: {error}"
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
        return
    config.stash[_GATED] = found
    if found.outcome is not Outcome.CLEAR:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _gate(against: str, run: Sequence[tuple[str, Problem]], config: pytest.Config) -> Gated | Found:
    """Hold what was run against a revision of the repository, or against a stored baseline's file."""
    from bench.against import Against, hold
    from bench.errors import UsageError
    from bench.gate import sources
    from bench.gate.asked import Asked
    from bench.gate.run import gate
    from bench.gate.written import write
    from bench.plan.config import Settings
    from bench.plan.sweep import Sweep, entry_of

    if not run:
        mend = "call group_norm_benchmark() without a function, and name rows with --gnbench-impl"
        raise UsageError("--gnbench-gate", "no row of the plugin table was run", mend)
    problems = tuple(dict.fromkeys(problem for _, problem in run))
    plugins = tuple(config.getoption("--gnbench-plugin"))
    settings = Settings(
        impl=tuple(dict.fromkeys(row for row, _ in run)), budget_s=config.getoption("--gnbench-budget"), plugins=plugins
    )
    sweep = Sweep(entries=tuple(entry_of(problem) for problem in problems), device=problems[0].device)
    asked = Asked(sweep=sweep, settings=settings, command=("pytest", *config.invocation_params.args))
    found: Gated | Found
    if Path(against).exists():
        found = hold(asked, Against(baseline=Path(against), takes_own_axes=True))
    else:
        found = gate(asked, partial(sources.of_revision, against, start=config.rootpath, require_clean=False))
    write(found.folder, found.frame, found.info)
    return found


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Show the gate's verdict below the tests."""
    found = config.stash.get(_GATED, None)
    if found is None:
        return
    terminalreporter.section("GroupNorm gate")
    if isinstance(found, str):
        terminalreporter.write_line(found)
        return
    from rich.console import Console

    from reports.forms.gate_terminal import verdicts

    shown = Console(width=terminalreporter._tw.fullwidth, highlight=False)  # noqa: SLF001 - its own console's width
    with shown.capture() as captured:
        shown.print(verdicts(found.frame, found.info))
    terminalreporter.write_line(captured.get().rstrip())
    terminalreporter.write_line(f"gate: {found.folder.path}")
