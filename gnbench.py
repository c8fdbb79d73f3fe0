"""The command's doorstep: makes sure that ``bench``, ``kernels`` and ``reports`` are ours, then enters ``bench.cli``.

Three short import names have other owners on the package index (``kernels`` for one). Whoever has both installed
gets one line that says so, not a traceback from somebody else's module.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from pathlib import Path

_OURS = {"bench": "bench/cli/app.py", "kernels": "kernels/table.py", "reports": "reports/schema.py"}


def usurper() -> str | None:
    """Say which of our import names belongs to somebody else, and where that is; None when all are ours."""
    for name, proof in _OURS.items():
        spec = PathFinder.find_spec(name)
        places = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
        found = places[0] if places else Path(spec.origin) if spec and spec.origin else None
        init = found / "__init__.py" if found else None
        is_ours = found and (found.parent / proof).is_file() and init and "groupnorm-bench" in _head(init)
        if not is_ours and spec is not None:
            return (
                f"import name {name}: {found} belongs to another distribution; "
                "uninstall that one, or give groupnorm-bench an environment of its own"
            )
    return None


def _head(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")[:400]
    except OSError:
        return ""


def main() -> None:
    """Run the command and exit with its status."""
    if (problem := usurper()) is not None:
        print(f"gnbench: {problem}", file=sys.stderr)
        sys.exit(2)
    from bench.cli.app import main as command

    sys.exit(command())


if __name__ == "__main__":
    main()
