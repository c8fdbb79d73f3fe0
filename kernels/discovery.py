"""Fills the table: the built-in rows, the entry points of other distributions, and plugin files."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import random
import sys
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Literal

from . import table

BUILTIN = ("native", "naive", "compiled", "triton", "cuda", "cpp")
GROUP = "groupnorm_bench.kernels"
"""The entry-point group under which other distributions offer rows."""

_PACKAGE = table.__name__.rpartition(".")[0]


class PluginFileError(OSError):
    """A plugin file that is not there or cannot be read."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(f"plugin file {path}: {found}")
        self.path = path
        self.found = found


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """Something that enters rows when it is imported."""

    name: str
    origin: Literal["builtin", "entry point", "plugin"]
    module: str
    """The name it has in sys.modules."""
    place: str
    bring_in: Callable[[], object]


def load(
    names: Collection[str] | None = None,
    plugins: Sequence[Path] = (),
    *,
    shuffle: random.Random | None = None,
    announce: Callable[[str], None] | None = None,
) -> dict[str, table.Implementation]:
    """Import what enters rows, and give the table.

    A source that cannot be imported becomes a row that says why; it never stops the others. Loading the same
    source again changes nothing.

    Parameters
    ----------
    names
        Of the built-in rows, those to import; all when None. Entry points and plugin files are all imported,
        for their rows' names are not known before.
    plugins
        Python files.
    shuffle
        Shuffles the order of imports: where a library's code comes to lie in memory can move a latency.
    announce
        Is told each source's name before it is imported, so that a death at import has a name.

    Raises
    ------
    PluginFileError
        A file of ``plugins`` cannot be read; nothing was imported then.
    """
    sources = [_builtin(name) for name in BUILTIN if names is None or name in names]
    sources += [_entry_point(entry) for entry in importlib.metadata.entry_points(group=GROUP)]
    sources += [_plugin_file(path) for path in plugins]
    if shuffle:
        shuffle.shuffle(sources)
    with _named_kernels():
        for source in sources:
            if announce:
                announce(source.name)
            _bring_in(source)
    return table.implementations()


def _builtin(name: str) -> _Source:
    module = f"{_PACKAGE}.{name}"
    return _Source(
        name=name,
        origin="builtin",
        module=module,
        place=_builtin_place(name),
        bring_in=lambda: importlib.import_module(module),
    )


def _builtin_place(name: str) -> str:
    folder = Path(__file__).with_name(name)
    return str(folder if folder.is_dir() else folder.with_suffix(".py"))


def _entry_point(entry: importlib.metadata.EntryPoint) -> _Source:
    return _Source(
        name=entry.name,
        origin="entry point",
        module=entry.module,
        place=f"entry point {entry.value}",
        bring_in=entry.load,
    )


def _plugin_file(path: Path) -> _Source:
    try:
        path = path.expanduser().resolve()
        with path.open("rb"):
            pass
    except OSError as error:
        raise PluginFileError(path, error.strerror or str(error)) from error
    digest = hashlib.blake2b(str(path).encode(), digest_size=4).hexdigest()
    module = f"{table.NAMESPACE}_plugin_{digest}"

    def bring_in() -> object:
        spec = spec_from_file_location(module, path, loader=SourceFileLoader(module, str(path)))
        assert spec
        assert spec.loader
        loaded = sys.modules[module] = module_from_spec(spec)
        spec.loader.exec_module(loaded)
        return loaded

    return _Source(name=path.stem, origin="plugin", module=module, place=str(path), bring_in=bring_in)


def _bring_in(source: _Source) -> None:
    """Import one source; whatever it raises becomes its row."""
    if source.module in table.sources or any(_is_of(row, source.module) for row in table.implementations().values()):
        return
    table.sources.add(source.module)
    # It may have been imported already, but into another table: that of a second revision in this process.
    _forget(source.module)
    before = table.implementations()
    try:
        source.bring_in()
        _examine(source, before)
    except (Exception, SystemExit) as error:
        _forget(source.module)
        for name in table.implementations().keys() - before.keys():
            table.remove(name)
        if isinstance(error, table.DuplicateName):
            _refuse_both(error)
        _put_broken(source, _reason(error))


def _examine(source: _Source, before: Collection[str]) -> None:
    """Check what a source has entered, and note where it came from."""
    entered = [row for name, row in table.implementations().items() if name not in before]
    if source.origin == "builtin":
        return
    foreign = [row for row in entered if not _is_of(row, _PACKAGE)]
    kin = source.module.partition(".")[0]
    if not foreign and not any(_is_of(row, kin) for row in table.implementations().values()):
        raise table.RegistrationError("registers no implementation: no function in it has @register(...)")
    for row in foreign:
        if row.name in BUILTIN:
            raise table.DuplicateName(row.name, _builtin_place(row.name), row.place)
        table.put(replace(row, origin=source.origin))


def _refuse_both(error: table.DuplicateName) -> None:
    """Leave a contested name to nobody: whose it is would depend on the order of imports.

    A built-in name stays with its owner.
    """
    if error.name not in BUILTIN:
        row = table.get(error.name)
        table.put(replace(row, call=None, broken=str(error)))


def _put_broken(source: _Source, reason: str) -> None:
    taken = source.name in table.implementations() or (source.origin != "builtin" and source.name in BUILTIN)
    table.put(
        table.Implementation(
            name=f"{source.name}.{source.origin.replace(' ', '-')}" if taken else source.name,
            call=None,
            place=source.place,
            module=source.module,
            broken=reason,
            origin=source.origin,
        )
    )


def _reason(error: BaseException) -> str:
    """Say in one line what was raised and, where the text does not, in which line of whose file."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<frozen")]
    theirs = [f for f in frames if Path(f.filename).parent != Path(__file__).parent]
    if isinstance(error, SyntaxError | table.DuplicateName) or not theirs:
        return table.one_line(error)
    return f"{table.one_line(error)} ({Path(theirs[-1].filename).name}, line {theirs[-1].lineno})"


def _is_of(row: table.Implementation, module: str) -> bool:
    return f"{row.module}.".startswith(f"{module}.")


def _forget(module: str) -> None:
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{module}.")]:
        del sys.modules[name]


@contextmanager
def _named_kernels() -> Iterator[None]:
    """Let ``from kernels import register`` mean this package, under whatever name it was imported itself."""
    if _PACKAGE == "kernels":
        yield
        return
    others = {name: module for name, module in sys.modules.items() if f"{name}.".startswith("kernels.")}
    finder = _Redirect()
    _forget("kernels")
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        _forget("kernels")
        sys.modules.update(others)


class _Redirect(MetaPathFinder, Loader):
    """Answers an import of ``kernels`` or what is below it with this package's own module."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if not f"{fullname}.".startswith("kernels."):
            return None
        own = importlib.import_module(_PACKAGE + fullname.removeprefix("kernels"))
        return ModuleSpec(fullname, self, loader_state=(own, own.__spec__))

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        own: ModuleType = spec.loader_state[0]
        return own

    def exec_module(self, module: ModuleType) -> None:
        # The import system has just overwritten it with the alias's.
        assert module.__spec__
        module.__spec__ = module.__spec__.loader_state[1]
