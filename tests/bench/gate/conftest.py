"""Repositories to gate on, and plugin files that differ."""

import sys
from pathlib import Path

import pytest

# The tests are no package (importlib mode).
sys.path.append(str(Path(__file__).parent))

from gating import PLUGIN, git


@pytest.fixture
def repository(tmp_path):
    """A repository with two commits of a package ``kernels``, and a file that git ignores."""
    root = tmp_path / "repository"
    (root / "kernels" / "mine").mkdir(parents=True)
    (root / "kernels" / "discovery.py").write_text("")
    (root / "kernels" / "mine" / "__init__.py").write_text("first = 1\n")
    (root / ".gitignore").write_text("*.log\n")
    git(root, "init", "--initial-branch=main")
    git(root, "add", ".")
    git(root, "commit", "-m", "first")
    git(root, "tag", "old")
    (root / "kernels" / "mine" / "__init__.py").write_text("second = 2\n")
    git(root, "commit", "-am", "second")
    (root / "kernels" / "noise.log").write_text("ignored")
    return root


@pytest.fixture
def plugin(tmp_path):
    """Write a plugin file with something before its call and something after it."""

    def write(name, before="pass", after=""):
        path = tmp_path / name
        path.write_text(PLUGIN.format(before=before, after=after))
        return path

    return write
