"""A PATH that holds nothing but what a test puts there."""

import pytest
from pretended import install


@pytest.fixture
def tool(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return lambda name, source: install(tmp_path / "bin", name, source)
