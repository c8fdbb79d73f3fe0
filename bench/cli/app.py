"""The command: its subcommands, and one line for whatever a user did wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from bench.cli import (
    baseline,
    capture,
    check,
    compare,
    doctor,
    export,
    gate,
    listing,
    merge,
    profile,
    report,
    run,
    selftest,
    study,
)
from bench.ending import GOES_ON
from bench.errors import ExitStatus, Stopped, UsageError

app = typer.Typer(
    name="gnbench",
    help="Sets competing GroupNorm kernels against each other: latency, memory and numerical error.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("list", epilog="Example: gnbench list --plugin my_kernel.py")(listing.list_)
app.command("doctor", epilog="Example: gnbench doctor")(doctor.doctor)
app.command("run", epilog="Example: gnbench run -N 2 -C 320,640 -H 64 -W 64 -G 32,C/16 --impl cpp")(run.run)
app.command("report", epilog="Example: gnbench report runs/2026-11-24T201328 --format md,csv --out pages")(
    report.report
)
app.command("profile", epilog="Example: gnbench profile -N 2 -C 320 -H 32 -W 32 -G 32 --impl native,cpp")(
    profile.profile
)
app.command("selftest", epilog="Example: gnbench selftest --quick")(selftest.selftest)
app.command("check", epilog="Example: gnbench check --plugin my_kernel.py --impl mine")(check.check)
app.command("compare", epilog="Example: gnbench compare runs/base runs/head")(compare.compare)
app.command("gate", epilog="Example: gnbench gate --base main")(gate.gate)
app.command("study", epilog="Example: gnbench study --out runs/study; gnbench study --dry-run")(study.study)
app.add_typer(baseline.app, name="baseline")
app.command("export", epilog="Example: gnbench export runs/2026-11-24T201328 --to pytest-benchmark --out bench.json")(
    export.export
)
app.command(
    "capture",
    epilog="Example: gnbench capture --out captured.toml -- python train.py",
    # Options behind the program's name are the program's.
    context_settings={"allow_interspersed_args": False},
)(capture.capture)
app.command("merge", epilog="Example: gnbench merge runs/part-*-of-4 --out runs/whole")(merge.merge)

_INTERRUPTED = 130
_EXPECTED = (UsageError, TyperException)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; give its exit status. A traceback is shown only where GNBENCH_DEBUG is set."""
    try:
        status = int(app(args=list(sys.argv[1:] if arguments is None else arguments), standalone_mode=False) or 0)
    except typer.Exit as ended:
        status = ended.exit_code
    except Stopped as stopped:
        return _say(str(stopped), stopped.status)
    except Exception as error:
        if os.environ.get("GNBENCH_DEBUG") == "1" and not isinstance(error, _EXPECTED):
            raise
        return _say(_message(error), ExitStatus.USAGE)
    except KeyboardInterrupt:
        status = _INTERRUPTED
    if status == _INTERRUPTED:  # typer makes a status of it, too
        _say(GOES_ON, status)
    return status


def _message(error: Exception) -> str:
    if isinstance(error, TyperException):
        return f"{error.format_message()}; see --help"
    if isinstance(error, UsageError):
        return str(error)
    return f"{type(error).__name__}: {error}; this is a fault of gnbench's own, GNBENCH_DEBUG=1 shows where"


def _say(message: str, status: int) -> int:
    sys.stderr.write(f"gnbench: {' '.join(message.split())}\n")
    return int(status)
