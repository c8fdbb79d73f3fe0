"""Which build the kernels run in."""

import os
import shutil

import pytest

from kernels.cuda.nvrtc import include_folders


@pytest.fixture(scope="session", autouse=True)
def _can_build():
    if shutil.which("g++") is None:
        pytest.skip("no g++ to compile the kernels for this CPU")
    if not include_folders():
        pytest.skip("cuda_fp16.h is not installed: pip install 'groupnorm-bench[cuda]'")


@pytest.fixture(scope="session")
def sanitizer():
    """The shadow map, or what $GNBENCH_SANITIZER says: ``address`` in tox's ``sanitize``."""
    return os.environ.get("GNBENCH_SANITIZER", "watch")


@pytest.fixture
def plant(tmp_path):
    """Copy a source with the headers beside it and change it in one place, which must be there once."""

    def planted(source, name, right, wrong):
        for path in source.parent.iterdir():
            if path.suffix in (".cu", ".cuh"):
                shutil.copy(path, tmp_path)
        text = (tmp_path / name).read_text()
        assert text.count(right) == 1, f"{right!r} is {text.count(right)} times in {name}"
        (tmp_path / name).write_text(text.replace(right, wrong))
        return tmp_path / source.name

    return planted
