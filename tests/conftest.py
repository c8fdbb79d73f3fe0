"""Settings of all tests."""

import os
import sys
import tempfile
from pathlib import Path, PurePosixPath

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


def group_of(nodeid):
    """Name the tests that run one after the other: all that measure; the rest by folders, or modules that call."""
    path = PurePosixPath(nodeid.partition("::")[0])
    path = path.relative_to(*path.parts[: path.parts.index("tests") + 1]).with_suffix("")
    room, *inner = path.parts
    if room == "bench" and str(path.relative_to("bench")) in _CALLING:
        return str(path)
    return "measures" if room == "bench" and inner[0] not in _STUDIED else str(path.parent)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Let groups of tests run beside each other, which tox does on two cores.

    Without pytest-xdist's own marks: those of 3.8 count for nothing under pytest 9.2
    (https://github.com/pytest-dev/pytest-xdist/issues/1386).
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByGroups(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return group_of(nodeid)

    if config.getvalue("dist") != "loadgroup":
        return None
    # As they were collected, not those of most tests first: the modules that call have few and are the longest.
    config.option.loadscopereorder = False
    return ByGroups(config, log)
