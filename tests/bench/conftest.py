"""What several rooms' tests share."""

import sys
from pathlib import Path

import pytest

# The tests are no package (importlib mode), so the simulated device is found by its folder.
sys.path.append(str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _limits_stay():
    """A worker in this process limits its memory; the address sanitizer of later tests would not start then."""
    yield
    if sys.platform != "win32":
        import resource

        # The hard limit is nobody's to change, and what pytest began with.
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
