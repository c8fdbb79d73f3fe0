"""What is broken is a row that says why; what is outside comes in by each of its ways."""

import random
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from kernels import discovery, table

ROW = """
from kernels import register

@register("{name}", devices=("cpu",))
def group_norm(x, num_groups, weight, bias, eps):
    return x
"""


@pytest.fixture
def plugin(tmp_path):
    def write(stem, text):
        path = tmp_path / f"{stem}.py"
        path.write_text(text)
        return path

    return write


def load(*plugins, **options):
    return discovery.load((), plugins, **options)


def test_a_plugin_file_is_a_row(empty_table, plugin):
    path = plugin("outside", ROW.format(name="mine"))
    row = load(path)["mine"]
    assert (row.origin, row.broken, row.place) == ("plugin", None, f"{path}:4")


def test_loading_again_changes_nothing(empty_table, plugin):
    path = plugin("outside", ROW.format(name="mine"))
    assert load(path) == load(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def f(:\n", "SyntaxError: invalid syntax (bad.py, line 1)"),
        ("\n1 / 0\n", "ZeroDivisionError: division by zero (bad.py, line 2)"),
        ("raise SystemExit(3)\n", "SystemExit: 3 (bad.py, line 1)"),
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module' (bad.py, line 1)"),
        ("", "RegistrationError: registers no implementation: no function in it has @register(...)"),
        (ROW.format(name="mine") + "raise ValueError('one\\ntwo')\n", "ValueError: one (bad.py, line 7)"),
    ],
)
def test_a_broken_plugin_is_a_row_with_its_reason(empty_table, plugin, text, reason):
    good = plugin("good", ROW.format(name="good"))
    found = load(plugin("bad", text), good)
    assert found.keys() == {"bad", "good"}
    assert found["bad"].call is None
    assert found["bad"].broken == reason
    assert found["bad"].refusal(None).reason == reason


def test_a_name_taken_twice_is_nobodys(empty_table, plugin):
    """Whose it is would follow from the order of imports, which is drawn anew in each worker."""
    one, two = plugin("one", ROW.format(name="mine")), plugin("two", ROW.format(name="mine"))
    found = load(one, two)
    both = f"'mine' is registered twice: at {one}:4 and at {two}:4; rename one of them"
    assert found["mine"].broken == both
    assert found["two"].broken == f"DuplicateName: {both}"


def test_a_builtin_name_stays_its_owners(empty_table, plugin):
    path = plugin("native", ROW.format(name="native"))
    row = load(path)["native.plugin"]
    assert f"at {path}:4" in row.broken
    assert f"{Path(discovery.__file__).with_name('native.py')}" in row.broken


def test_a_missing_plugin_is_an_error_and_nothing_is_imported(empty_table, plugin, tmp_path):
    good = plugin("good", ROW.format(name="good"))
    with pytest.raises(discovery.PluginFileError, match=r"plugin file .*absent\.py: No such file or directory"):
        load(good, tmp_path / "absent.py")
    with pytest.raises(discovery.PluginFileError, match="Is a directory"):
        load(tmp_path)
    assert not table.implementations()


def test_each_source_is_announced_before_its_import_in_any_order(empty_table, plugin):
    paths = [plugin(f"p{i}", ROW.format(name=f"p{i}")) for i in range(8)]
    announced = []
    found = load(*paths, shuffle=random.Random(1), announce=announced.append)
    assert announced == list(found)
    assert announced != sorted(announced) == [path.stem for path in paths]


def test_the_built_in_rows(rows):
    assert set(discovery.BUILTIN) <= set(rows)
    assert all(row.broken is None and row.origin == "builtin" for row in map(rows.get, discovery.BUILTIN))


def in_fresh_process(code, *path):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *map(str, path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()


def test_an_entry_point_of_another_distribution(tmp_path):
    """A wheel's two files: the module, and the metadata that offers it."""
    (tmp_path / "their_norm.py").write_text(ROW.format(name="theirs"))
    metadata = tmp_path / "their_norm-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-norm\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{discovery.GROUP}]\ntheirs = their_norm\ngone = no_such_module\n")
    code = """
        import sys
        sys.path.insert(0, sys.argv[1])
        from kernels.discovery import load
        load(())
        for row in load(()).values():
            print(row.name, row.origin.replace(" ", "-"), (row.broken or "whole").partition(":")[0])
    """
    words = in_fresh_process(code, tmp_path)
    assert words == ["theirs", "entry-point", "whole", "gone", "entry-point", "ModuleNotFoundError"]


def test_a_plugin_enters_the_table_of_whichever_revision_loads_it(tmp_path):
    path = tmp_path / "outside.py"
    path.write_text("import kernels.table\nassert kernels.table.NAMESPACE == kernels.NAMED\n" + ROW.format(name="mine"))
    code = """
        import importlib, importlib.util, pathlib, sys
        import kernels
        kernels.NAMED = "kernels"
        init = pathlib.Path(kernels.__file__)
        spec = importlib.util.spec_from_file_location("base", init, submodule_search_locations=[str(init.parent)])
        base = sys.modules["base"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(base)
        base.NAMED = "base"
        for name in ("kernels", "base", "kernels"):
            row = importlib.import_module(name + ".discovery").load((), [pathlib.Path(sys.argv[1])])["mine"]
            print(row.broken, row.module.partition("_")[0], sys.modules["kernels"] is kernels)
    """
    words = in_fresh_process(code, path)
    assert words == ["None", "kernels", "True", "None", "base", "True", "None", "kernels", "True"]
