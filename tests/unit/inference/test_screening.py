import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from toy import synthetic

from pneumo.errors import ModelError
from pneumo.inference import gate
from pneumo.inference.findings import Correction
from pneumo.inference.gate import Gate
from pneumo.model_store import store
from pneumo.model_store.card import SEGMENTATION
from pneumo.preprocessing import network_input
from pneumo.radiograph import Radiograph


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """A folder with the toy networks; never change it."""
    folder = tmp_path_factory.mktemp("networks")
    synthetic.write_screening_models(folder)
    return folder


@pytest.fixture(scope="module")
def screener(networks):
    return Gate.open(networks)


def film_of(pixels, **said):
    return Radiograph(np.ascontiguousarray(pixels, np.float32), "film.png", "f" * 64, "PNG", 8, **said)


def drawn(seed=0, height=240, width=300):
    return synthetic.film(np.random.default_rng(seed), sick=bool(seed % 2), height=height, width=width) / 255


def codes(verdict):
    return [finding.code for finding in verdict.findings]


@pytest.mark.parametrize("seed", range(6))
def test_accepts_a_chest_film_and_draws_its_lungs(screener, seed):
    verdict = screener.check(film_of(drawn(seed)))

    assert verdict.accepted
    assert verdict.findings == ()
    assert verdict.lungs.count == 2
    assert verdict.lungs.share == pytest.approx(synthetic.lung_mask(240, 300).mean(), abs=0.06)


def test_a_warning_does_not_refuse(screener):
    verdict = screener.check(film_of(drawn(height=160, width=200), age_years=12.0))

    assert verdict.accepted
    assert codes(verdict) == ["unusual_age", "too_small"]
    assert verdict.lungs is not None


@pytest.mark.parametrize(
    ("pixels", "code"),
    [
        (np.zeros((240, 300)), "too_dark"),
        (np.ones((240, 300)), "too_bright"),
        (np.random.default_rng(0).random((240, 300)), "not_chest_film"),
        (np.tile(np.linspace(0, 1, 300), (240, 1)), "not_chest_film"),
    ],
    ids=["black", "white", "noise", "ramp"],
)
def test_refuses_what_is_no_chest_film(screener, pixels, code):
    verdict = screener.check(film_of(pixels))

    assert not verdict.accepted
    assert code in codes(verdict)
    assert verdict.lungs is None
    assert verdict.corrections == ()


def test_a_header_refuses_a_sound_picture(screener):
    verdict = screener.check(film_of(drawn(), view_position="LL", age_years=0.5))

    assert [(finding.code, finding.severity) for finding in verdict.findings] == [
        ("lateral", "refuse"),
        ("unusual_age", "warn"),
    ]
    assert verdict.lungs is not None


@pytest.mark.parametrize(
    ("done", "correction", "found"),
    [
        (np.rot90, Correction(1), ["rotated"]),
        (lambda pixels: 1 - pixels, Correction(0, invert=True), ["inverted"]),
        (lambda pixels: 1 - np.rot90(pixels), Correction(1, invert=True), ["inverted", "rotated"]),
    ],
    ids=["rotated", "inverted", "both"],
)
@pytest.mark.parametrize("seed", [0, 2])
def test_a_turned_or_inverted_film_is_refused_and_can_be_righted(screener, seed, done, correction, found):
    original = drawn(seed)
    film = film_of(done(original))

    verdict = screener.check(film)

    assert codes(verdict) == found
    assert verdict.corrections == (correction,)
    righted = gate.corrected(film, verdict.corrections[0])
    assert screener.check(righted).accepted
    np.testing.assert_allclose(righted.pixels, original, atol=1e-6)


def test_an_inverted_film_is_not_called_too_bright_as_well(screener):
    dark = drawn() * 0.33

    found = codes(screener.check(film_of(1 - dark)))

    assert found[0] == "inverted"
    assert "too_dark" in found
    assert "too_bright" not in found


def test_what_no_correction_makes_a_chest_film_gets_no_offer(screener):
    class Suspicious:
        def read(self, square, lungs):
            return gate.GateOutput(9.0, np.array([0.0, 1.0, 0.0, 0.0]), 0.0, 0.0)

        def read_all(self, squares, lungs):
            return [self.read(*each) for each in zip(squares, lungs, strict=True)]

    verdict = Gate(screener.segmenter, Suspicious(), screener.limits).check(film_of(drawn()))

    assert codes(verdict) == ["not_chest_film"]
    assert verdict.corrections == ()


def test_a_film_that_is_better_as_it_is_stays_as_it_is(screener):
    class Undecided:
        def __init__(self):
            self.asked = 0

        def read(self, square, lungs):
            self.asked += 1
            return gate.GateOutput(float(self.asked), np.array([1.0, 0.0, 0.0, 0.0]), 0.0, 1.0)

    # Both pictures have two lungs for this segmenter.
    class Sees:
        def segment(self, square):
            return screener.segmenter.segment(network_input.film_square(drawn().astype(np.float32)))

    verdict = Gate(Sees(), Undecided(), screener.limits).check(film_of(drawn()))

    assert verdict.accepted
    assert verdict.corrections == ()


def test_four_threads_get_the_verdicts_that_one_gets(networks, screener):
    films = [film_of(drawn(seed) if seed % 3 else 1 - drawn(seed)) for seed in range(6)]
    expected = [codes(screener.check(film)) for film in films]
    shared, start = Gate.open(networks), threading.Barrier(4)

    def check_all(_):
        start.wait()
        return [codes(shared.check(film)) for film in films]

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(check_all, range(4)))

    assert results == [expected] * 4


def test_a_warm_screener_says_what_a_cold_one_says(networks, screener):
    warm = Gate.open(networks)
    warm.warm_up()

    assert codes(warm.check(film_of(1 - drawn()))) == codes(screener.check(film_of(1 - drawn()))) == ["inverted"]


def test_the_cards_are_those_of_the_networks_that_are_opened(networks):
    assert gate.network_cards(networks) == tuple(store.read_card(name, networks) for name in ("lungs", "gate"))


def test_a_folder_without_networks_uses_those_that_are_shipped(tmp_path, networks, monkeypatch):
    monkeypatch.setattr(store, "SHIPPED", networks)

    assert Gate.open(tmp_path).limits == gate.Limits.of(synthetic.LIMITS)
    assert gate.network_cards(tmp_path) == gate.network_cards(networks)


@pytest.mark.parametrize("opened", [Gate.open, gate.open_segmenter, gate.network_cards])
def test_without_any_network_it_says_so(tmp_path, monkeypatch, opened):
    monkeypatch.setattr(store, "SHIPPED", tmp_path)

    with pytest.raises(ModelError, match="There is no model 'lungs'"):
        opened(tmp_path)


def test_a_model_for_another_task_is_no_gate(tmp_path):
    synthetic.write_screening_models(tmp_path)
    card = store.read_card("gate", tmp_path)
    store.write_card(dataclasses.replace(card, task=SEGMENTATION), tmp_path)

    with pytest.raises(ModelError, match="is for segmentation, not for screening"):
        Gate.open(tmp_path)


def test_a_gate_without_its_limits_is_damaged(tmp_path):
    synthetic.write_screening_models(tmp_path)
    card = store.read_card("gate", tmp_path)
    store.write_card(dataclasses.replace(card, thresholds={"novelty": 2.0}), tmp_path)

    with pytest.raises(ModelError, match="lacks a limit \\('uncertainty'\\)"):
        Gate.open(tmp_path)


def test_two_films_in_one_picture_are_refused_and_each_is_offered(screener):
    picture = film_of(synthetic.pair() / 255)

    verdict = screener.check(picture)

    assert codes(verdict) == ["several_films"]
    assert "several films" in verdict.findings[0].message
    assert [str(each) for each in verdict.corrections] == [
        "cut out the film on the left",
        "cut out the film on the right",
    ]
    for correction, left in zip(verdict.corrections, (0, 330), strict=True):
        expected = picture.pixels[:, left : left + 300]
        cut = gate.corrected(picture, correction)
        assert (cut.width, cut.height) == pytest.approx((300, 240), abs=6)
        assert abs(cut.pixels.mean() - expected.mean()) < 0.02
        assert screener.check(cut).accepted


@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_a_letterbox_is_cut_off_without_asking_and_said(screener, grey):
    boxed = np.pad(drawn(), ((0, 0), (150, 150)), constant_values=grey)

    verdict = screener.check(film_of(boxed))

    assert verdict.accepted
    np.testing.assert_array_equal(verdict.film.pixels, drawn().astype(np.float32))
    assert verdict.film.notes == ("The uniform border around the film was cut off.",)
    assert screener.check(film_of(drawn())).film is None


def test_no_film_is_sought_in_what_the_file_says_is_none(screener, monkeypatch):
    monkeypatch.setattr(Gate, "_crops", lambda *_: pytest.fail("a film was sought"))

    assert not screener.check(film_of(synthetic.pair() / 255, modality="CT")).accepted
