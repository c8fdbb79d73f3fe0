from bench.identity import changes, identity

FACTS = {
    "host": {"python": "3.12.1", "system": "Linux", "machine": "x86_64"},
    "cpu": {"model": "a CPU", "available_cores": 4},
    "versions": {"torch": "2.13.0"},
    "gpu": [{"name": "H100", "driver": "580.1"}],
}


def told(facts=FACTS, plugins=(), threads=2, environ=()):
    return identity(facts, plugins=plugins, threads=threads, environ=dict(environ))


def test_the_same_environment_has_no_changes():
    assert changes(told(), told()) == []


def test_each_change_is_named_with_both_values(tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text("a = 1")
    before = told(plugins=[str(plugin)], environ={"OMP_PROC_BIND": "true", "HOME": "/x"})
    plugin.write_text("a = 2")
    after = told(
        facts=FACTS | {"versions": {"torch": "2.14.0"}},
        plugins=[str(plugin)],
        threads=1,
        environ={"HOME": "/y"},
    )
    found = changes(before, after)
    assert found[:2] == [
        "torch was 2.13.0 and is 2.14.0",
        "threads was 2 and is 1",
    ]
    assert found[2].startswith("plugin mine.py was ")
    assert found[3:] == ["variable OMP_PROC_BIND was true and is absent"]


def test_a_plugin_that_is_gone_is_a_change(tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text("a = 1")
    before = told(plugins=[str(plugin)])
    plugin.unlink()
    (line,) = changes(before, told(plugins=[str(plugin)]))
    assert line.endswith("and is absent")


def test_paths_in_variables_are_compared_but_not_told():
    ours, theirs = (told(environ={"LD_PRELOAD": path}) for path in ("/home/me/a.so", "/home/me/b.so"))
    assert "home" not in str(ours)
    assert len(changes(ours, theirs)) == 1


def test_our_own_sources_count():
    assert "absent" not in {told()["kernels' sources"], told()["harness's sources"]}


def test_where_a_plugin_lies_is_not_told_and_does_not_count(tmp_path):
    places = [tmp_path / "a", tmp_path / "b"]
    for place in places:
        place.mkdir()
        (place / "mine.py").write_text("a = 1")
    one, other = (told(plugins=[str(place / "mine.py")]) for place in places)
    assert changes(one, other) == []
    assert str(tmp_path) not in str(one)
