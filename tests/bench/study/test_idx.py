"""Files by hand, and every way in which one can be wrong."""

import gzip
import struct

import numpy as np
import pytest

from bench.errors import UsageError
from bench.study import idx

MEND = "give the four IDX files of MNIST as they are published, plain or gzip"
RANDOM = np.random.default_rng(0)


def packed(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    for part, many in (("train", 30), ("t10k", 20)):
        images = RANDOM.integers(0, 256, (many, 8, 8), np.uint8)
        labels = np.arange(many, dtype=np.uint8) % 10
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(packed(images))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(packed(labels)))
    return tmp_path


def test_plain_and_gzip_files_are_read_whole_and_in_order(folder):
    images, labels = idx.read_folder(folder)
    assert images.shape == (50, 8, 8)
    assert labels.tolist() == [*(place % 10 for place in range(30)), *(place % 10 for place in range(20))]
    assert images[:30].tobytes() == (folder / "train-images-idx3-ubyte").read_bytes()[16:]


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("train-images-idx3-ubyte", b"", "begins with nothing where 00 00 08 03 is wanted"),
        ("train-images-idx3-ubyte", b"\x89PNG....", "begins with 89 50 4e 47 where 00 00 08 03 is wanted"),
        ("train-images-idx3-ubyte", struct.pack(">HBBI", 0, 8, 3, 30), "ends within its header, after 8 bytes"),
        (
            "train-images-idx3-ubyte",
            packed(np.zeros((30, 8, 8), np.uint8))[:-5],
            "is truncated: it holds 1,915 bytes of the 1,920 that 30 x 8 x 8 takes",
        ),
        (
            "train-images-idx3-ubyte",
            packed(np.zeros((30, 8, 8), np.uint8)) + b"!",
            "is too long: it holds 1,921 bytes of the 1,920 that 30 x 8 x 8 takes",
        ),
        (
            "t10k-images-idx3-ubyte",
            packed(np.zeros((20, 8, 6), np.uint8)),
            "images are 8 x 6; the network wants squares of a multiple of 4",
        ),
        ("t10k-images-idx3-ubyte", packed(np.zeros((0, 8, 8), np.uint8)), "has a dimension of 0 (0 x 8 x 8)"),
        (
            "t10k-labels-idx1-ubyte.gz",
            gzip.compress(packed(np.full(20, 11, np.uint8)), mtime=0),
            "label 0 is 11, out of 0 to 9",
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            packed(np.zeros(19, np.uint8)),
            "holds 19 labels for the 20 images of t10k-images-idx3-ubyte",
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            gzip.compress(packed(np.zeros(20, np.uint8)), mtime=0)[:-9],
            "cannot be read (Compressed file ended before the end-of-stream marker was reached)",
        ),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(folder, name, content, found):
    (folder / name).write_bytes(content)
    with pytest.raises(UsageError) as refused:
        idx.read_folder(folder)
    assert str(refused.value) == f"--data-dir: {folder / name} {found}; {MEND}"


def test_a_missing_file_and_folder_are_named(folder):
    (folder / "t10k-images-idx3-ubyte").unlink()
    wanted = "t10k-images-idx3-ubyte"
    with pytest.raises(UsageError) as refused:
        idx.read_folder(folder)
    assert str(refused.value) == f"--data-dir: {folder} holds neither {wanted} nor {wanted}.gz; {MEND}"
    with pytest.raises(UsageError) as refused:
        idx.read_folder(folder / "absent")
    assert str(refused.value) == f"--data-dir: there is no folder {folder / 'absent'}; {MEND}"
