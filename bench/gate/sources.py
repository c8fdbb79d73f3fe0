"""Base's and head's kernels as two folders of equal length: a git revision and the working tree, or two plugin files.

Where a path is longer, environment and stack are placed otherwise, and that alone can move a latency.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.gate.git import Repository, repository
from bench.measure.messages import Side

BASE, HEAD = "base", "head"
_PACKAGE = "kernels"
_NO_COPIES = shutil.ignore_patterns("__pycache__")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sides:
    """What is set against each other."""

    base: Side
    head: Side
    base_name: str
    """For the reader: a revision with its hash, or a file."""
    head_name: str
    is_dirty: bool = False
    """Head holds changes that no commit does."""
    of_plugins: bool = False
    """Only what the plugin files register is compared; the kernels beside them are the same."""

    def differ_in(self, row: str) -> bool:
        """Say whether a row's own files, or those that all rows share, are other ones on head."""
        base, head = (Path(side.root, _PACKAGE) for side in (self.base, self.head))
        return self.of_plugins or _content(base, row) != _content(head, row)

    def to_dict(self) -> dict[str, Any]:
        """Give plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Sides:
        """Read what ``to_dict`` gave."""
        return cls(**(data | {side: Side(**data[side]) for side in (BASE, HEAD)}))


def _content(package: Path, row: str) -> dict[str, bytes]:
    """Read what a row is made of: its folder, and every module at the package's top."""
    files = [*package.glob("*.py"), *package.glob(f"{row}/**/*")]
    return {
        str(file.relative_to(package)): file.read_bytes()
        for file in files
        if file.is_file() and "__pycache__" not in file.parts
    }


def of_revision(revision: str, folder: Path, *, start: Path, require_clean: bool) -> Sides:
    """Copy the kernels of a git revision and of the working tree.

    Parameters
    ----------
    revision
        The base, as git names it.
    folder
        Where ``base/kernels`` and ``head/kernels`` are made.
    start
        A folder of the repository.
    require_clean
        Refuse a working tree with changes.

    Raises
    ------
    UsageError
        No repository, no such revision, no kernels in it, or a working tree that is not clean.
    """
    found = repository(start, "--base")
    commit = found.commit(revision, "--base")
    is_dirty = found.is_dirty(_PACKAGE)
    if is_dirty and require_clean:
        raise UsageError("--require-clean", f"{found.root / _PACKAGE} has changes", "commit them, or leave it out")
    found.extract(commit, _PACKAGE, folder / BASE, "--base")
    _copy_work_tree(found, folder / HEAD)
    for label in (BASE, HEAD):
        _refuse_no_package(folder / label)
    return Sides(
        base=Side(label=BASE, root=str(folder / BASE)),
        head=Side(label=HEAD, root=str(folder / HEAD)),
        base_name=f"{revision} ({commit[:12]})",
        head_name=f"{found.head()[:12]} with changes" if is_dirty else found.head()[:12],
        is_dirty=is_dirty,
    )


def _copy_work_tree(found: Repository, target: Path) -> None:
    files = found.files(_PACKAGE)
    if not files:
        raise UsageError("--base", f"{found.root} has no folder {_PACKAGE}", "go to a clone of your kernels")
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found.root / file, target / file)


def _refuse_no_package(root: Path) -> None:
    if not (root / _PACKAGE / "discovery.py").is_file():
        found = f"its {_PACKAGE} is no package of groupnorm-bench (it has no discovery.py)"
        raise UsageError("--base", found, "name a revision that has it, or give --base-plugin and --head-plugin")


def of_plugins(base: Path, head: Path, folder: Path) -> Sides:
    """Hold two plugin files beside the installed kernels, copied once a side.

    Raises
    ------
    UsageError
        A file is missing.
    """
    for argument, plugin in (("--base-plugin", base), ("--head-plugin", head)):
        if not plugin.expanduser().is_file():
            raise UsageError(argument, f"there is no file {plugin}", "give a Python file with @register")
    _copy_installed(folder)

    def side(label: str, plugin: Path) -> Side:
        return Side(label=label, root=str(folder / label), plugins=[str(plugin.expanduser().resolve())])

    return Sides(
        base=side(BASE, base), head=side(HEAD, head), base_name=str(base), head_name=str(head), of_plugins=True
    )


def of_itself(folder: Path) -> Sides:
    """Hold the installed kernels against themselves: whatever differs is chance."""
    _copy_installed(folder)
    return Sides(
        base=Side(label=BASE, root=str(folder / BASE)),
        head=Side(label=HEAD, root=str(folder / HEAD)),
        base_name="the installed kernels",
        head_name="the same",
    )


def _copy_installed(folder: Path) -> None:
    """Copy the installed kernels to both sides."""
    spec = find_spec(_PACKAGE)  # finds the package, and does not import it
    assert spec is not None
    assert spec.origin is not None
    for label in (BASE, HEAD):
        shutil.copytree(Path(spec.origin).parent, folder / label / _PACKAGE, ignore=_NO_COPIES)
