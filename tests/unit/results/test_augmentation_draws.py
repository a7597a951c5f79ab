import numpy as np
import pytest
from toy import synthetic

from pneumo.errors import ModelError
from pneumo.inference.lungs import of_probability
from pneumo.preprocessing import network_input
from pneumo.preprocessing.network_input import SQUARE, Augmentation
from pneumo.results import augmentation_draws
from pneumo.results.augmentation_draws import RANGES

FILM = synthetic.film(np.random.default_rng(3), sick=True) / np.float32(255)


def card_of(augmentation):
    return synthetic.card(training={"recipe": {"augmentation": augmentation}})


def test_the_recipe_is_read_from_the_card():
    stated = {"min_area": 0.5, "max_stretch": 1.3, "brightness": 0.1, "contrast": 0.2, "gamma": 0.3, "flip": 0.0}

    assert augmentation_draws.of_card(card_of(stated)) == Augmentation(**stated)
    assert augmentation_draws.of_card(synthetic.card(training={})) is None


@pytest.mark.parametrize(
    "stated", [{"min_area": "small"}, {"degrees": 3.0}, {"brightness": 7.0}, {"min_area": 0.0}, [1, 2]]
)
def test_a_damaged_recipe_is_a_model_error(stated):
    with pytest.raises(ModelError, match="toy"):
        augmentation_draws.of_card(card_of(stated))


def test_every_field_of_an_augmentation_has_a_range_that_holds_its_default():
    fields = augmentation_draws.on_sliders(Augmentation())

    assert set(fields) == set(RANGES)
    assert all(RANGES[name].low <= value <= RANGES[name].high for name, value in fields.items())
    assert fields["max_stretch"] == 1.33


def test_a_film_is_rounded_to_8_bits_as_in_training():
    square = augmentation_draws.training_square(FILM)

    assert square.shape == (SQUARE, SQUARE)
    assert square.dtype == np.float32
    stored = np.rint(network_input.film_square(FILM) * 255.0).astype(np.uint8)
    assert np.array_equal(square, stored / np.float32(255))


def test_the_lungs_cut_the_film():
    lungs = of_probability(synthetic.lung_mask(SQUARE, SQUARE).astype(np.float32))

    cut = augmentation_draws.training_square(FILM, lungs)

    assert cut.shape == (SQUARE, SQUARE)
    assert not np.array_equal(cut, augmentation_draws.training_square(FILM))
    assert augmentation_draws.is_of_lungs(synthetic.card(input={"views": ["lungs"]}))
    assert not augmentation_draws.is_of_lungs(synthetic.card(input={"views": ["film", "lungs"]}))


def test_draws_are_those_of_training_and_repeat_with_their_seed():
    square, augmentation = augmentation_draws.training_square(FILM), Augmentation()

    drawn = augmentation_draws.draws(square, 48, augmentation, 3, seed=5)

    rng = np.random.default_rng(5)
    expected = [network_input.augmented_input(square, 48, augmentation, rng)[..., 0] for _ in range(3)]
    assert np.array_equal(drawn, expected)
    assert not np.array_equal(drawn, augmentation_draws.draws(square, 48, augmentation, 3, seed=6))


def test_without_augmentation_every_draw_is_what_is_predicted():
    square = augmentation_draws.training_square(FILM)
    nothing = Augmentation(min_area=1.0, max_stretch=1.0, brightness=0.0, contrast=0.0, gamma=0.0, flip=0.0)

    for picture in augmentation_draws.draws(square, 48, nothing, 2, seed=0):
        assert picture == pytest.approx(augmentation_draws.unchanged(square, 48), abs=1e-6)


def test_changes_are_told():
    recipe = Augmentation()

    assert augmentation_draws.differences(recipe, recipe) == ""
    rounded = Augmentation(**augmentation_draws.on_sliders(recipe))
    assert augmentation_draws.differences(rounded, recipe) == ""
    changed = Augmentation(brightness=0.5, flip=0.0)
    assert augmentation_draws.differences(changed, recipe) == "brightness ± 0.30 → 0.50, share mirrored 0.50 → 0.00"
