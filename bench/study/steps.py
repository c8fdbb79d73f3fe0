"""A bigger network's training step with each implementation of its group norm, beside batch norm and none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from bench import host
from bench.about import new_run_id
from bench.claims import claimed
from bench.errors import UsageError, nearest
from bench.record import frames
from bench.record.durable import told_when_unwritable
from bench.study import folder as folders
from bench.study import timing
from bench.study.crew import Prepared, Worker
from bench.study.going import Progressed, Tell
from bench.study.pages import write_pages
from bench.study.usable import usable
from reports.study_schema import STEPS, EpochRow, StepRow, TrialRow

_SECONDS_A_VISIT = 12.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What a network is stepped on, unless asked otherwise: small enough for two CPU cores."""

    groups: int
    batch_sizes: tuple[int, ...]
    image_size: int


NETWORKS: Mapping[str, Shape] = MappingProxyType(
    {
        "resnet50_gn": Shape(groups=32, batch_sizes=(4,), image_size=64),
        "unet_small": Shape(groups=8, batch_sizes=(4,), image_size=32),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stepped:
    """What is stepped, and how."""

    network: str
    implementations: tuple[str, ...]
    batch_sizes: tuple[int, ...] = ()
    """None: the network's own."""
    device: str = "cpu"
    threads: int = 1
    passes: int = 6
    seed: int = 0
    budget_s: float | None = None
    """Seconds of stepping; by default some 12 a batch size and pass."""
    plugins: tuple[str, ...] = ()
    tell: Tell = lambda _: None
    warn: Callable[[str], object] = lambda _: None

    @property
    def blocks(self) -> list[timing.Block]:
        """What is set against each other, by batch size."""
        shape = NETWORKS[self.network]
        group = f"group:{shape.groups}"
        variants = (("none", None), ("batch", None), *((group, name) for name in self.implementations))
        return [
            timing.Block(network=self.network, batch_size=size, image_size=shape.image_size, variants=variants)
            for size in self.batch_sizes or shape.batch_sizes
        ]

    @property
    def seconds(self) -> float:
        """What the stepping takes."""
        return self.budget_s or _SECONDS_A_VISIT * self.passes * len(self.blocks)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Steps:
    """What was found."""

    path: Path
    info: dict[str, Any]
    steps: pd.DataFrame
    """Rows of ``reports.study_schema.StepRow``."""
    pages: tuple[Path, ...]


def check(network: str) -> None:
    """Refuse a network that there is none of; UsageError."""
    if network not in NETWORKS:
        raise UsageError("--network", f"{network!r} is unknown", nearest(network, ("tutorial", *NETWORKS)))


def steps(asked: Stepped, *, out: Path | None, command: Sequence[str] = (), optional: Sequence[str] = ()) -> Steps:
    """Time and weigh steps into a new folder.

    Raises
    ------
    UsageError
        The network or an implementation cannot be had, or the folder cannot be written.
    """
    check(asked.network)
    prepared = Prepared(
        device=asked.device,
        threads=asked.threads,
        data=None,
        folds=2,
        seed=asked.seed,
        implementations=asked.implementations,
        plugins=asked.plugins,
    )
    kept = usable(prepared, optional, asked.warn)
    asked = replace(asked, implementations=kept)
    now = datetime.now(UTC)
    info = _info(asked, now, command)
    folder = folders.create(out or folders.default_path(now), info)
    with (
        folder.lock("--out"),
        told_when_unwritable(folder.path, "then start again"),
        claimed(asked.device, asked.threads, folder.path, asked.warn),
    ):
        found = timing.taken(
            asked.blocks,
            lambda: Worker(prepared, folder.log),
            passes=asked.passes,
            most_s=asked.seconds,
            seed=asked.seed,
            told=lambda done, of: asked.tell(Progressed(phase="timing steps", done=done, of=of, left_s=None)),
        )
        rows = [
            row
            for block, passes in zip(asked.blocks, found, strict=True)
            for row in timing.rows(block, passes, study_id=info["study_id"], threads=asked.threads)
        ]
        frames.write_rows(folder.path / STEPS, StepRow, rows)
        folder.update(end=datetime.now(UTC).isoformat(timespec="seconds"))
    made = frames.read_rows(folder.path / STEPS, StepRow)
    none = (frames.frame_of(TrialRow, ()), frames.frame_of(EpochRow, ()))
    pages = write_pages(*none, made, folder.info(), folder.path)
    return Steps(path=folder.path, info=folder.info(), steps=made, pages=tuple(pages))


def _info(asked: Stepped, now: datetime, command: Sequence[str]) -> dict[str, Any]:
    facts = host.facts()
    return {
        "study_id": new_run_id(now),
        "network": asked.network,
        "command": list(command),
        "settings": {
            "network": asked.network,
            "implementations": list(asked.implementations),
            "batch_sizes": [block.batch_size for block in asked.blocks],
            "device": asked.device,
            "threads": asked.threads,
            "passes": asked.passes,
            "seed": asked.seed,
        },
        "start": now.isoformat(timespec="seconds"),
        "end": None,
        "warnings": host.warnings(facts),
        **facts,
    }
