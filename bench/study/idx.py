"""The four IDX files of MNIST and its kin (Fashion-MNIST, KMNIST), plain or gzip.

::

    offset 0   two zero bytes, the type (8: unsigned byte), the number of dimensions
    offset 4   each dimension, big-endian, 4 bytes
    then       the values, the last dimension fastest
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import UsageError

Bytes = NDArray[np.uint8]

PARTS = ("train", "t10k")
_STEMS = (
    ("{part}-images-idx3-ubyte", "{part}-images.idx3-ubyte"),
    ("{part}-labels-idx1-ubyte", "{part}-labels.idx1-ubyte"),
)
_ARGUMENT = "--data-dir"
_MEND = "give the four IDX files of MNIST as they are published, plain or gzip"
_BYTE = 8
CLASSES = 10


def read_folder(folder: Path) -> tuple[Bytes, Bytes]:
    """Read images (N, H, W) and labels (N,) of both parts, the training part first.

    Raises
    ------
    UsageError
        Names the file that is missing or wrong, and why.
    """
    if not folder.is_dir():
        raise UsageError(_ARGUMENT, f"there is no folder {folder}", _MEND)
    parts = [_part(folder, part) for part in PARTS]
    shapes = {images.shape[1:] for images, _ in parts}
    if len(shapes) > 1:
        first, second = (f"{images.shape[1]} x {images.shape[2]}" for images, _ in parts)
        raise UsageError(_ARGUMENT, f"{folder}: images of {first} in train and {second} in t10k", _MEND)
    return np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts])


def _part(folder: Path, part: str) -> tuple[Bytes, Bytes]:
    image_path, label_path = (_find(folder, [stem.format(part=part) for stem in stems]) for stems in _STEMS)
    images, labels = read(image_path, 3), read(label_path, 1)
    if len(images) != len(labels):
        raise _wrong(label_path, f"holds {len(labels):,} labels for the {len(images):,} images of {image_path.name}")
    if images.shape[1] != images.shape[2] or images.shape[1] % 4:
        height, width = images.shape[1:]
        raise _wrong(image_path, f"images are {height} x {width}; the network wants squares of a multiple of 4")
    if labels.size and int(labels.max()) >= CLASSES:
        place = int(np.argmax(labels >= CLASSES))
        raise _wrong(label_path, f"label {place:,} is {labels[place]}, out of 0 to {CLASSES - 1}")
    return images, labels


def _find(folder: Path, stems: list[str]) -> Path:
    for stem in stems:
        for name in (stem, f"{stem}.gz"):
            if (path := folder / name).is_file():
                return path
    raise UsageError(_ARGUMENT, f"{folder} holds neither {stems[0]} nor {stems[0]}.gz", _MEND)


def read(path: Path, dimensions: int) -> Bytes:
    """Read one file of unsigned bytes.

    Raises
    ------
    UsageError
        It cannot be read, is no such file, has other dimensions, or holds too few or too many bytes.
    """
    content = _content(path)
    wanted = struct.pack(">HBB", 0, _BYTE, dimensions)
    if content[:4] != wanted:
        raise _wrong(path, f"begins with {content[:4].hex(' ') or 'nothing'} where {wanted.hex(' ')} is wanted")
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise _wrong(path, f"ends within its header, after {len(content)} bytes")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    if 0 in shape:
        raise _wrong(path, f"has a dimension of 0 ({' x '.join(map(str, shape))})")
    there, needed = len(content) - header, math.prod(shape)
    if there != needed:
        what = "is truncated: it" if there < needed else "is too long: it"
        raise _wrong(path, f"{what} holds {there:,} bytes of the {needed:,} that {' x '.join(map(str, shape))} takes")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        raise _wrong(path, f"cannot be read ({error})") from None


def _wrong(path: Path, found: str) -> UsageError:
    return UsageError(_ARGUMENT, f"{path} {found}", _MEND)
