import xml.etree.ElementTree as ET

import pytest
from matplotlib import rcParams

from reports import slices, views
from reports.figures import bytes_time, error, memory, scaling, speedup_map, stability, svg
from reports.intake import check
from reports.schema import ResultRow, SampleRow
from reports.style import GRID, INK, QUIET, SLOTS, STEPS, TINTS, looks


@pytest.fixture(scope="module")
def pictures(frames):
    cells = views.cells(check(frames.results, ResultRow))
    colours = looks(frames.results["implementation"])
    rows = views.timed(cells)[views.timed(cells)["C"] == 640]
    return {
        "map": lambda: speedup_map.draw(views.speedup_map(cells), views.implementations(cells)),
        "axis": lambda: scaling.draw(slices.along(cells, "N"), "N", colours),
        "bytes": lambda: bytes_time.draw(views.bytes_time(cells), colours),
        "memory": lambda: memory.draw(views.memory(cells), colours),
        "error": lambda: error.draw(views.errors(cells), colours),
        "stability": lambda: stability.draw(views.rounds(rows, check(frames.samples, SampleRow)), rows, colours),
    }


NAMES = ["map", "axis", "bytes", "memory", "error", "stability"]


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_well_formed_named_and_has_neither_style_nor_date(pictures, name):
    text = svg.inline(pictures[name](), name, "cpp < native & all")
    root = ET.fromstring(text)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == root[0].attrib["id"] == f"{name}-title"
    assert root[0].text == "cpp < native & all"
    assert "style" not in text
    assert "metadata" not in text
    assert all(one.attrib["id"].startswith(f"{name}-") for one in root.iter() if "id" in one.attrib)


@pytest.mark.parametrize("name", NAMES)
def test_references_inside_a_picture_lead_somewhere(pictures, name):
    root = ET.fromstring(svg.inline(pictures[name](), name, "t"))
    ids = [one.attrib["id"] for one in root.iter() if "id" in one.attrib]
    assert len(ids) == len(set(ids))
    targets = [one.attrib["href"].removeprefix("#") for one in root.iter() if "href" in one.attrib]
    targets += [one.attrib["clip-path"][5:-1] for one in root.iter() if "clip-path" in one.attrib]
    assert targets
    assert set(targets) <= set(ids)


@pytest.mark.parametrize("name", NAMES)
def test_every_colour_has_a_dark_variant(pictures, name):
    root = ET.fromstring(svg.inline(pictures[name](), name, "t"))
    used = {one.attrib[what] for one in root.iter() for what in ("fill", "stroke") if what in one.attrib} - {"none"}
    assert used
    assert used <= {tint.light for tint in TINTS}


def test_the_same_picture_has_the_same_bytes(pictures):
    assert svg.inline(pictures["bytes"](), "b", "t") == svg.inline(pictures["bytes"](), "b", "t")


def test_drawing_leaves_matplotlibs_settings_alone(pictures):
    before = dict(rcParams)
    svg.inline(pictures["memory"](), "m", "t")
    assert dict(rcParams) == before


def test_light_hexes_name_one_tint_each():
    hexes = [tint.light for tint in (*SLOTS, INK, QUIET, GRID, *STEPS.values())]
    assert len(hexes) == len(set(hexes))


def test_hostile_names_are_drawn_as_they_are(frames):
    names = {"naive": "$x_$", "cpp": "_hidden"}
    cells = views.cells(check(frames.results.replace({"implementation": names}), ResultRow))
    figure = bytes_time.draw(views.bytes_time(cells), looks(cells["implementation"]))
    drawn = "".join(ET.fromstring(svg.inline(figure, "b", "t")).itertext())
    assert "$x_$" in drawn
    assert "_hidden" in drawn
