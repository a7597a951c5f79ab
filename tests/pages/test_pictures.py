import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from toy import synthetic

from pages.parts.predict.pictures import EMPTY, Pictures, in_words
from pages.parts.predict.viewer import FOLDER, MODULE
from pneumo import DISCLAIMER
from pneumo.explanation import drawing, regions
from pneumo.explanation.heat_findings import HeatFindings, HeatInLungs
from pneumo.inference import lungs
from pneumo.sentences import say

MASK = lungs.of_probability(synthetic.lung_mask(224, 224).astype(np.float32))
FILM = np.linspace(0, 1, 60 * 80, dtype=np.float32).reshape(60, 80)
INSIDE = HeatInLungs(0.71, "right lower", 0.6)
ELSEWHERE = say("Give this answer little weight: hardly any of the score came from the lungs.")


def findings(inside: HeatInLungs | None = INSIDE, *warnings: str) -> HeatFindings:
    return HeatFindings(inside, (), None, warnings)


def pictures(**changes) -> Pictures:
    return Pictures(FILM, FILM[::-1], MASK, findings(), "film.png", "gradcam", "likely")._replace(**changes)


def run(*ready: Pictures) -> AppTest:
    def page(ready):
        from pages.parts.predict.pictures import show_pictures

        for one in ready:
            show_pictures(one)

    app = AppTest.from_function(page, args=(ready,), default_timeout=60).run()
    assert not app.exception
    return app


def viewers(app: AppTest) -> list[dict]:
    return [json.loads(viewer.proto.json) for viewer in app.get("bidi_component")]


def told(app: AppTest) -> str:
    return "\n".join(element.value for kind in ("caption", "warning") for element in app.get(kind))


def test_the_viewer_is_given_all_that_it_draws():
    [data] = viewers(run(pictures()))

    assert (data["width"], data["height"]) == (80, 60)
    assert data["film"] == drawing.film_url(FILM)
    assert data["heat"] == drawing.heat_url(FILM[::-1])
    assert data["absolute"] is None
    assert data["outline"] == drawing.outline_points(MASK, 60, 80)
    assert [colours["title"] for colours in data["colours"]] == ["Inferno", "Viridis", "Grey", "Hot"]
    assert (data["caption"], data["heatCaption"]) == ("film.png", "Grad-CAM")
    assert data["note"] == DISCLAIMER


def test_the_viewer_is_given_the_hot_regions_of_both_scales():
    [region] = regions.hot_regions(FILM)
    warm = dataclasses.replace(findings(), regions=(region, region), absolute_regions=(region,))

    [without], [data] = viewers(run(pictures())), viewers(run(pictures(findings=warm)))

    shape = drawing.region_shapes([region], 60, 80)
    assert data["regions"] == {"relative": shape * 2, "absolute": shape}
    assert without["regions"] == {"relative": [], "absolute": []}
    assert set(data["regionsNote"]) == {"relative", "absolute", "none"}


def test_the_hardest_film_to_compress_stays_below_a_megabyte():
    noise = np.random.default_rng(0).random((800, 800), np.float32)

    [viewer] = run(pictures(film=noise, heat=noise, absolute=noise)).get("bidi_component")

    assert len(viewer.proto.json) < 1_000_000


def test_an_absolute_map_is_passed_on():
    assert viewers(run(pictures(absolute=FILM / 4, answer="unlikely")))[0]["absolute"] == drawing.heat_url(FILM / 4)


@pytest.mark.parametrize(
    ("changes", "off"),
    [({}, False), ({"is_off": True}, True), ({"heat": np.zeros_like(FILM), "findings": findings(None)}, True)],
    ids=["map", "worth no more than a blob", "empty"],
)
def test_a_map_that_tells_nothing_is_off_until_it_is_asked_for(changes, off):
    assert viewers(run(pictures(**changes)))[0]["mapOff"] is off


def test_what_a_map_is_worth_is_said_above_it():
    assert "It was not measured." in told(run(pictures(worth=say("It was not measured."))))


def test_the_opacity_map_has_one_scale_and_says_that_it_is_no_explanation():
    app = run(pictures(method="opacity", absolute=FILM, answer="uncertain", findings=findings(INSIDE, ELSEWHERE)))

    [data] = viewers(app)
    assert data["absolute"] is None
    assert data["scales"] == {"relative": {"cold": "Clear", "hot": "Opaque"}}
    assert data["words"]["heat"] == "The film under its opacity map. Answer: Cannot say."
    assert "It does not show what the answer rests on." in told(app)
    assert "The colours show where the score came from" not in told(app)
    assert ELSEWHERE not in told(app)


def test_two_viewers_stand_on_one_page_under_keys_of_their_own():
    assert len(viewers(run(pictures(key="first"), pictures(key="second")))) == 2


def test_without_lungs_there_is_no_outline():
    assert viewers(run(pictures(lungs=None, findings=findings(None))))[0]["outline"] == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            "Answer: Pneumonia likely. 29 % of the score came from outside the lungs, most of the rest from the ",
        ),
        ({"answer": "unlikely"}, "Answer: Pneumonia unlikely. 29 %"),
        ({"answer": "uncertain"}, "Answer: Cannot say. 29 %"),
        ({"findings": findings(None), "lungs": None}, "The lungs of this film were not found"),
        ({"heat": np.zeros_like(FILM), "findings": findings(None)}, EMPTY),
        ({"method": "gradcam++"}, "The film under its Grad-CAM++ heat map."),
    ],
)
def test_the_picture_is_told_in_words(changes, words):
    assert words in in_words(pictures(**changes))


def test_a_likely_answer_with_its_heat_elsewhere_is_warned_of():
    outside = findings(HeatInLungs(0.2, "left upper", 1), ELSEWHERE)

    assert ELSEWHERE in told(run(pictures(findings=outside)))
    assert ELSEWHERE not in told(run(pictures(findings=outside, answer="unlikely")))
    assert ELSEWHERE not in told(run(pictures()))


def test_where_the_answer_is_not_likely_bright_spots_are_explained():
    assert "a bright spot is no sign of disease" in told(run(pictures(answer="uncertain")))
    assert "a bright spot is no sign of disease" not in told(run(pictures()))


def test_an_empty_map_is_said_to_be_empty():
    assert told(run(pictures(heat=np.zeros_like(FILM), findings=findings(None), answer="unlikely"))) == EMPTY


def test_the_viewer_fetches_nothing():
    shipped = [*FOLDER.iterdir()]

    assert {file.name for file in shipped} == {*MODULE, "viewer.html", "viewer.css"}
    for file in map(Path.read_text, shipped):
        for way_out in ("http:", "https:", "url(", "@import", "import ", "fetch(", "XMLHttpRequest", "localStorage"):
            assert way_out not in file
