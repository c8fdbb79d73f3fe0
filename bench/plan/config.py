"""Presets and TOML files to a sweep and the settings it is measured with."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.errors import UsageError, nearest
from bench.plan import axes
from bench.plan.problem import DEVICES
from bench.plan.sweep import AXES, Axes, Sweep
from bench.plan.tables import as_table, check_keys

CACHES = ("cold", "warm")
TIMERS = ("host", "events", "graph", "cupti", "nvbench")

FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "budget_s": "--budget",
        "precision_percent": "--precision",
        "passes": "--passes",
        "cache": "--cache",
        "timer": "--timer",
        "sustained": "--sustained",
        "cell_timeout_s": "--cell-timeout",
        "seed": "--seed",
        "threads": "--threads",
        "reference": "--reference",
        "impl": "--impl",
        "exclude": "--exclude",
        "plugins": "--plugin",
        "shard": "--shard",
    }
)
"""The option that sets each field of ``Settings``, which its errors name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How a sweep is measured.

    Raises
    ------
    UsageError
        A value makes no sense; the option that sets it is named.
    """

    budget_s: float = 40.0
    precision_percent: float = 1.0
    """Half-width of a speed-up's interval at which a block is done."""
    passes: int = 8
    """At most so many."""
    cache: str | None = None
    """``cold`` or ``warm``; None is the device's own habit."""
    timer: str | None = None
    """One of ``TIMERS``; None is the device's own."""
    sustained: bool = False
    """Keep the device busy before each batch (CUDA)."""
    cell_timeout_s: float = 60.0
    seed: int = 0
    threads: int | None = None
    """None means every core at hand."""
    reference: str = "native"
    impl: tuple[str, ...] = ()
    """Names to measure; empty means the built-in rows."""
    exclude: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    """Paths of plugin files."""
    shard: tuple[int, int] | None = None
    """(part, of how many), from 1."""

    def __post_init__(self) -> None:
        for name in ("budget_s", "precision_percent", "cell_timeout_s"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise UsageError(FLAGS[name], f"{value} is not positive and finite", "give a positive number")
        for name, least in (("passes", 1), ("seed", 0), ("threads", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(FLAGS[name], f"{value} is below {least}", f"give a whole number from {least}")
        for name, known in (("cache", CACHES), ("timer", TIMERS)):
            value = getattr(self, name)
            if value is not None and value not in known:
                raise UsageError(FLAGS[name], f"{value!r} is unknown", nearest(value, known))
        if self.reference in self.exclude:
            raise UsageError("--exclude", f"{self.reference!r} is the reference", "name another with --reference")
        if self.shard and not 1 <= self.shard[0] <= self.shard[1]:
            found = f"there is no part {self.shard[0]} of {self.shard[1]}"
            raise UsageError("--shard", found, "give it as 2/4, the second of four")

    def to_dict(self) -> dict[str, Any]:
        """Give the settings as plain data, for run.json."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Settings:
        """Read what ``to_dict`` gave; TypeError where a key is unknown."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        return cls(**values)


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """What a file asks for. A file of settings alone has a sweep without entries."""

    sweep: Sweep
    settings: Settings


def preset_names() -> tuple[str, ...]:
    """List the presets that come with the package."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in _presets() if file.name.endswith(".toml")))


def load_preset(name: str) -> Config:
    """Read a preset; UsageError with its neighbour when there is none of that name."""
    if name not in preset_names():
        raise UsageError("--preset", f"{name!r} is no preset", nearest(name, preset_names()))
    text = next(file for file in _presets() if file.name == f"{name}.toml").read_text(encoding="utf-8")
    return _config(tomllib.loads(text), f"preset {name}")


def load_config(path: Path | str) -> Config:
    """Read a TOML file with ``model``, ``[sweep]``, ``[[problem]]`` and ``[settings]``.

    Raises
    ------
    UsageError
        The file cannot be read or is no TOML, a key is misspelt or missing, a value is of the wrong kind; the key is
        named with its path, as ``problem[2].layuot`` (counted from 0).
    """
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError("--config", f"{path} cannot be read ({error.strerror})", "give a TOML file") from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise UsageError("--config", f"{path} is not TOML ({error})", "mend it there") from error
    return _config(document, str(path))


def _presets() -> Iterable[Any]:
    return files("bench").joinpath("presets").iterdir()


def _config(document: Mapping[str, Any], file: str) -> Config:
    where = f"{file}: "
    check_keys(document, ("model", "sweep", "problem", "settings"), where)
    sweep = dict(as_table(document.get("sweep", {}), f"{where}sweep"))
    device = axes.words(_text(sweep.pop("device", "cpu"), f"{where}sweep.device"), DEVICES, f"{where}sweep.device")
    if len(device) > 1:
        raise UsageError(f"{where}sweep.device", "names two devices", "give one")
    problems = document.get("problem", [])
    if not isinstance(problems, list):
        raise UsageError(f"{where}problem", "is one table", "write [[problem]], once for each")
    entries = [_axes(problem, f"{where}problem[{place}]") for place, problem in enumerate(problems)]
    if sweep:
        entries.insert(0, _axes(sweep, f"{where}sweep"))
    settings = _settings(as_table(document.get("settings", {}), f"{where}settings"), f"{where}settings.")
    model = _name(document.get("model", ""), f"{where}model")
    return Config(sweep=Sweep(entries=tuple(entries), device=device[0], model=model), settings=settings)


def _axes(table: Any, where: str) -> Axes:
    values = _read(as_table(table, where), _AXES_READERS, f"{where}.")
    for name in ("N", "C", "H", "W", "G"):
        if name not in values:
            raise UsageError(where, f"{name} is missing", f"add {name} = 1 or a list")
    return Axes(**values)


def _settings(table: Mapping[str, Any], where: str) -> Settings:
    values = _read(table, _SETTINGS_READERS, where)
    try:
        return Settings(**values)
    except UsageError as error:
        key = next(name for name, flag in FLAGS.items() if flag == error.argument)
        raise UsageError(f"{where}{key}", error.found, error.mend) from None


def _read(table: Mapping[str, Any], readers: Mapping[str, Callable[[Any, str], Any]], where: str) -> dict[str, Any]:
    check_keys(table, readers, where)
    return {key: readers[key](value, f"{where}{key}") for key, value in table.items()}


def _text(value: Any, where: str) -> str:
    """Write a TOML value, or a list of them, as the comma list that the command line would have."""
    if isinstance(value, list):
        return ",".join(_text(item, where) for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise UsageError(where, f"{value!r} is no value of an axis", "give a number, a word or a list of them")


def _names(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return axes.split(value, where)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise UsageError(where, f"{value!r} is no list of names", 'give names, as ["native", "cpp"]')


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise UsageError(where, f"{value!r} is no text", "put it in quotes")
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(where, f"{value!r} is neither true nor false", "write true or false")
    return value


def _reader(read: Callable[[str, str], Any]) -> Callable[[Any, str], Any]:
    return lambda value, where: read(_text(value, where), where)


_AXES_READERS: Mapping[str, Callable[[Any, str], Any]] = {
    **{name: _reader(axes.READERS[name]) for name in AXES},
    "count": _reader(lambda text, where: axes.whole(text, where, least=1)),
    "source": _name,
}
_SETTINGS_READERS: Mapping[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(("budget_s", "precision_percent", "cell_timeout_s"), _reader(axes.number)),
    **dict.fromkeys(("passes", "seed", "threads"), _reader(axes.whole)),
    **dict.fromkeys(("cache", "timer", "reference"), _name),
    "sustained": _flag,
    **dict.fromkeys(("impl", "exclude", "plugins"), _names),
    "shard": _reader(axes.part),
}
assert set(_SETTINGS_READERS) == set(FLAGS) == {field.name for field in fields(Settings)}
