"""Settings of all tests."""

import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# A deadline is a timing asserted in a test: on a busy machine it fails for no fault of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Tests of several checkouts may run at once on one machine; those of the claims unset it.
os.environ.setdefault("GNBENCH_SHARE_DEVICE", "1")

# The tests are no package (importlib mode): the machine that runs CUDA on the CPU is found by its folder.
sys.path.append(str(Path(__file__).parent / "cuda_on_cpu"))
# Likewise the trials with planted truths, which tests of bench and of reports share.
sys.path.append(str(Path(__file__).parent))


def pytest_configure(config):
    """Keep what is compiled in a folder of the session, which its processes share: half of them compile the C++ row.

    One that $GNBENCH_CACHE_DIR names is kept from session to session: its keys hold all that a build follows from.
    """
    if "GNBENCH_CACHE_DIR" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="gnbench-tests-")
        os.environ["GNBENCH_CACHE_DIR"] = folder.name

        def end():
            del os.environ["GNBENCH_CACHE_DIR"]
            folder.cleanup()

        config.add_cleanup(end)


_STUDIED = ("plan", "stats", "check", "capture", "study", "record")
"""Rooms of bench whose tests measure nothing."""
_CALLING = ("cli/test_app", "cli/test_profile", "cli/test_study", "test_durability", "test_kill_and_resume",
            "test_pytest_plugin")  # fmt: skip
"""Modules of its other rooms that call the command and judge none of its figures."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """With pytest-xdist let those that measure run one after the other, beside the rest: tox does so on two cores.

    The rest goes by folders, and by modules where these call the command: so that nothing long runs alone at the end.
    First of all: pytest-xdist reads the groups in this hook too, and those that come later count for nothing.
    """
    if not config.pluginmanager.hasplugin("xdist"):
        return
    here = Path(__file__).parent
    calling = {here / "bench" / f"{name}.py" for name in _CALLING}
    for item in items:
        room, *inner = item.path.relative_to(here).parts
        measures = room == "bench" and inner[0] not in _STUDIED and item.path not in calling
        group = item.path if item.path in calling else item.path.parent
        item.add_marker(pytest.mark.xdist_group("measures" if measures else str(group.relative_to(here))))
