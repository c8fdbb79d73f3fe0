"""A worker process of a study, started by ``crew``: trains points, times steps, answers for the plugin table.

Messages are JSON lines over a private socket whose number is the one argument.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import socket
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from bench.devices.base import Device
from bench.devices.choice import device_named
from bench.study import clocked
from bench.study.data import Data, load_saved
from bench.study.plan import Point
from bench.study.train import Diverged, Epoch, train
from kernels import GroupNorm, discovery, table

Message = dict[str, Any]


class _Driver:
    """The other end; when it dies this process does, also in the middle of a training."""

    def __init__(self, number: int) -> None:
        self._socket = socket.socket(fileno=number)
        self._heard: queue.SimpleQueue[Message] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with self._socket.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                self._heard.put(json.loads(line))
        os._exit(0)

    def hear(self) -> Message:
        return self._heard.get()

    def say(self, **message: Any) -> None:
        self._socket.sendall((json.dumps(message) + "\n").encode())


class _Worker:
    """What lasts from message to message."""

    def __init__(self, driver: _Driver, prepared: Message) -> None:
        self._driver = driver
        self._device: Device = device_named(prepared["device"])
        torch.set_num_threads(prepared["threads"])
        torch.backends.cudnn.deterministic = True
        self._data: Data | None = load_saved(Path(prepared["data"])) if prepared["data"] else None
        self._folds, self._study_seed = prepared["folds"], prepared["seed"]
        discovery.load(prepared["implementations"] or ("native",), [Path(path) for path in prepared["plugins"]])

    def answer(self, message: Message) -> None:
        """Do what a message asks for, and say what came of it; an error is an answer."""
        try:
            getattr(self, f"_{message['do']}")(message)
        except Diverged as error:
            self._driver.say(heard="failed", reason=str(error))
        except Exception as error:  # a row's own, torch's, or ours: the trial's reason
            self._driver.say(heard="failed", reason=table.one_line(error))

    def _train(self, message: Message) -> None:
        assert self._data is not None
        point = Point.from_dict(message["point"])

        def go_on(epoch: Epoch) -> bool:
            self._driver.say(heard="epoch", **asdict(epoch))
            return bool(self._driver.hear()["go_on"]) if message["prune"] else True

        outcome = train(
            point, self._data, folds=self._folds, study_seed=self._study_seed, device=self._device.name, go_on=go_on
        )
        self._driver.say(heard="done", **asdict(outcome))

    def _time(self, message: Message) -> None:
        gc.disable()
        found = clocked.clocked(
            [(norm, row) for norm, row in message["variants"]],
            network=message["network"],
            batch_size=message["batch_size"],
            image_size=message["image_size"],
            device=self._device,
            seed=message["seed"],
            most_s=message["most_s"],
            weigh=message["weigh"],
        )
        gc.enable()
        self._driver.say(heard="timed", figures=[asdict(one) for one in found])

    def _cost(self, message: Message) -> None:
        """Say what an update takes, by batch size: of a norm in the middle, on one quiet thread."""
        seconds = {}
        for size in message["batch_sizes"]:
            (one,) = clocked.clocked(
                [("batch", None)],
                network="tutorial",
                batch_size=size,
                image_size=message["image_size"],
                device=self._device,
                seed=0,
                most_s=0.1,
                weigh=False,
            )
            seconds[str(size)] = min(one.seconds)
        self._driver.say(heard="cost", seconds=seconds)

    def _answer_for(self, message: Message) -> None:
        """Say of each implementation why no network can be trained with it, or null, and what the table holds."""
        reasons = {name: _refusal(name, self._device.name) for name in message["implementations"]}
        self._driver.say(heard="answers", reasons=reasons, known=sorted(discovery.load()))


def _refusal(name: str, device: str) -> str | None:
    """Try a tiny norm forward and backward."""
    row = table.implementations().get(name)
    if row is None:
        return "unknown"
    if (reason := row.unavailability()) is not None:
        return reason
    if not row.differentiable:
        return "it is not differentiable"
    if device not in row.devices:
        return f"it does not run on {device}"
    x = torch.randn(2, 4, 2, 2, device=device, requires_grad=True)
    try:
        GroupNorm(2, 4, implementation=name).to(device)(x).sum().backward()
    except Exception as error:  # whatever a row raises is its reason
        return table.one_line(error)
    return None


def main(number: int) -> None:
    """Answer until the driver is gone."""
    began = time.perf_counter()
    driver = _Driver(number)
    worker = _Worker(driver, driver.hear())
    driver.say(heard="ready", seconds=time.perf_counter() - began)
    while True:
        worker.answer(driver.hear())


if __name__ == "__main__":
    main(int(sys.argv[1]))
