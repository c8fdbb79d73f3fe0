"""What ``run.json`` says of machine and run, in words. Any part of it may be missing."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import quantities as q
from .tables import Table, of_pairs

Info = Mapping[str, Any]


def part(info: Info, name: str) -> dict[str, Any]:
    """Give a mapping of ``run.json``; empty where it is missing or null."""
    return dict(info.get(name) or {})


def reference(infos: Sequence[Info]) -> str:
    """Name the reference; ``native`` where no run says."""
    named = [part(info, "settings").get("reference") for info in infos]
    return str(next((name for name in named if name), "native"))


def processor(info: Info) -> str:
    """Name the GPU where there is one, else the CPU and the threads used."""
    gpus = [str(gpu["name"]) for gpu in info.get("gpu") or () if gpu.get("name")]
    threads = part(info, "settings").get("threads")
    model = str(part(info, "cpu").get("model") or "")
    if gpus:
        return q.listed(gpus)
    return f"{model}, {q.plural(int(threads), 'thread')}" if model and threads else model


def commands(infos: Sequence[Info]) -> tuple[str, ...]:
    """Give the command of each run as a shell takes it."""
    return tuple(shlex.join(str(word) for word in info["command"]) for info in infos if info.get("command"))


def table(infos: Sequence[Info]) -> Table:
    """Set the facts of each run beside each other."""
    facts = [{name: write(info) for name, write in _FACTS.items()} for info in infos]
    names = [name for name in _FACTS if any(one[name] for one in facts)]
    runs = [str(info.get("run_id") or f"run {place + 1}") for place, info in enumerate(infos)]
    rows = [[name, *(one[name] or q.NULL for one in facts)] for name in names]
    return of_pairs("The machine and the run", ("fact", *(runs if len(runs) > 1 else ["value"])), rows)


def _words(name: str, *keys: str, joined: str = ", ") -> Callable[[Info], str]:
    return lambda info: joined.join(str(part(info, name)[key]) for key in keys if part(info, name).get(key) is not None)


def _written(name: str, key: str, write: Callable[[Any], str]) -> Callable[[Info], str]:
    def words(info: Info) -> str:
        value = part(info, name).get(key)
        return "" if value is None else write(value)

    return words


def _cores(info: Info) -> str:
    cpu = part(info, "cpu")
    found = [
        f"{cpu[key]} {word}"
        for key, word in (("available_cores", "available"), ("logical_cores", "logical"))
        if cpu.get(key)
    ]
    return " of ".join(found)


def _caches(info: Info) -> str:
    cpu = part(info, "cpu")
    return ", ".join(f"{key[:2].upper()} {q.byte_count(cpu[key])}" for key in ("l2_bytes", "l3_bytes") if cpu.get(key))


def _gpus(info: Info) -> str:
    return "; ".join(", ".join(f"{key} {value}" for key, value in gpu.items()) for gpu in info.get("gpu") or ())


def _load(info: Info) -> str:
    load = part(info, "load")
    return ", ".join(f"{load[key]} {key}" for key in ("before", "after") if load.get(key) is not None)


def _revision(info: Info) -> str:
    git = part(info, "git")
    return f"{git['revision']}{', with local changes' if git.get('dirty') else ''}" if git.get("revision") else ""


def _cost(info: Info) -> str:
    cost = part(info, "cost")
    told = [
        f"{key.removesuffix('_s')} {q.seconds(value)}"
        for key, value in cost.items()
        if key.endswith("_s") and value is not None
    ]
    share = [f"harness {q.percent(cost['harness_fraction'])}"] if cost.get("harness_fraction") is not None else []
    return ", ".join(told + share)


def _settings(info: Info) -> str:
    return ", ".join(f"{key} {value}" for key, value in part(info, "settings").items() if value is not None)


def _versions(info: Info) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(part(info, "versions").items()) if version)


_FACTS: dict[str, Callable[[Info], str]] = {
    "CPU": _words("cpu", "model"),
    "cores": _cores,
    "caches": _caches,
    "frequency governor": _words("cpu", "governor"),
    "GPU": _gpus,
    "system": _words("host", "system", "machine"),
    "host": _words("host", "hostname"),
    "Python": _words("host", "python"),
    "libraries": _versions,
    "load average": _load,
    "clock resolution": _written("clock", "resolution_s", q.seconds),
    "an empty call": _written("clock", "empty_call_s", q.seconds),
    "settings": _settings,
    "seed": lambda info: "" if info.get("seed") is None else str(info["seed"]),
    "revision": _revision,
    "started": lambda info: str(info.get("started") or ""),
    "finished": lambda info: str(info.get("finished") or ""),
    "what the run cost": _cost,
}
