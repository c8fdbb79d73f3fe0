"""Two sides' kernels as folders of equal length, from real repositories."""

import subprocess
from pathlib import Path

import pytest
from gating import git

from bench.errors import UsageError
from bench.gate import sources


def of_revision(revision, repository, folder, *, require_clean=False):
    return sources.of_revision(revision, folder, start=repository, require_clean=require_clean)


def content(side):
    return (Path(side.root) / "kernels" / "mine" / "__init__.py").read_text()


def test_the_base_is_as_it_was_and_head_is_the_working_tree(repository, tmp_path):
    (repository / "kernels" / "new.py").write_text("untracked\n")
    sides = of_revision("old", repository, tmp_path / "sides")
    assert (content(sides.base), content(sides.head)) == ("first = 1\n", "second = 2\n")
    assert len(sides.base.root) == len(sides.head.root)
    assert sides.is_dirty
    assert sides.head_name.endswith(" with changes")
    assert (Path(sides.head.root) / "kernels" / "new.py").is_file()
    assert not (Path(sides.head.root) / "kernels" / "noise.log").exists()
    assert sources.Sides.from_dict(sides.to_dict()) == sides


def test_a_clean_tree_is_named_by_its_commit(repository, tmp_path):
    sides = of_revision("main", repository, tmp_path / "sides", require_clean=True)
    assert not sides.is_dirty
    assert sides.base_name == f"main ({sides.head_name})"
    assert not sides.differ_in("mine")


def test_only_a_rows_own_files_and_shared_ones_tell_whether_it_differs(repository, tmp_path):
    assert of_revision("old", repository, tmp_path / "a").differ_in("mine")
    assert not of_revision("old", repository, tmp_path / "b").differ_in("other")
    (repository / "kernels" / "shared.py").write_text("")
    assert of_revision("old", repository, tmp_path / "c").differ_in("other")


def test_what_is_wrong_is_told_with_its_mend(repository, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (repository / "kernels" / "new.py").write_text("")
    for revision, start, clean, told in (
        ("none", repository, False, "--base: there is no revision 'none' in .*; see 'git log --oneline --all'"),
        ("--help", repository, False, "--base: there is no revision '--help' in "),
        ("old", repository, True, "--require-clean: .*kernels has changes; commit them, or leave it out"),
        ("old", outside, False, "--base: .*outside is in no git repository .*; go to a clone of your kernels"),
    ):
        with pytest.raises(UsageError, match=told):
            of_revision(revision, start, tmp_path / "sides", require_clean=clean)


def test_a_shallow_clone_says_how_to_fetch_the_base(repository, tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--depth=1", f"file://{repository}", str(clone)], capture_output=True, check=True)
    with pytest.raises(UsageError, match="--base: 'old' is not in this shallow clone; fetch it: git fetch --depth=1"):
        of_revision("old", clone, tmp_path / "sides")


def test_a_revision_without_kernels_is_refused(repository, tmp_path):
    git(repository, "rm", "-rq", "kernels")
    git(repository, "commit", "-m", "gone")
    with pytest.raises(UsageError, match=r"--base: [0-9a-f]{12} has no folder kernels"):
        of_revision("main", repository, tmp_path / "sides")


def test_plugin_files_stand_beside_the_same_kernels(plugin, tmp_path):
    base, head = plugin("a.py"), plugin("b.py")
    sides = sources.of_plugins(base, head, tmp_path / "sides")
    assert (sides.base.plugins, sides.head.plugins) == ([str(base)], [str(head)])
    assert (Path(sides.base.root) / "kernels" / "discovery.py").is_file()
    assert sides.differ_in("mine")
    with pytest.raises(UsageError, match=r"--head-plugin: there is no file none.py"):
        sources.of_plugins(base, Path("none.py"), tmp_path / "other")


def test_the_installed_kernels_against_themselves_differ_in_nothing(tmp_path):
    sides = sources.of_itself(tmp_path)
    assert not any(sides.differ_in(row) for row in ("cpp", "triton", "native"))
