import cv2
import numpy as np
import pytest
from toy import synthetic

from pneumo.inference import findings


@pytest.fixture
def pixels():
    """A drawn film of the size that a scanner gives, with detail of every size."""
    rng = np.random.default_rng(5)
    height, width = 900, 1100
    detail = sum(
        cv2.resize(rng.normal(0, 0.03, (side, side)), (width, height), interpolation=cv2.INTER_CUBIC)
        for side in (20, 60, 180)
    )
    film = synthetic.film(rng, sick=False, height=height, width=width) / 255
    return (film + detail).clip(0, 1).astype(np.float32)


def test_a_film_of_two_values_is_measured_as_by_hand():
    pixels = np.full((448, 448), 0.25, np.float32)
    pixels[:, 224:] = 0.75

    quality = findings.measure(pixels)

    assert quality.brightness == pytest.approx(0.5)
    assert quality.contrast == pytest.approx(0.5)
    assert quality.sharpness > 0


def test_a_flat_film_has_neither_contrast_nor_sharpness():
    quality = findings.measure(np.full((300, 260), 0.5, np.float32))

    assert quality == findings.Quality(0.5, 0.0, 0.0)


def test_each_stronger_blur_takes_sharpness(pixels):
    sharpness = [findings.measure(pixels).sharpness]
    for sigma in (6.0, 12.0, 24.0):
        sharpness.append(findings.measure(cv2.GaussianBlur(pixels, (0, 0), sigma)).sharpness)

    assert sharpness == sorted(sharpness, reverse=True)
    assert sharpness[-1] < 0.5 * sharpness[0]


@pytest.mark.parametrize(("contrast", "brightness"), [(0.3, 0.1), (0.5, 0.5), (1.0, 0.0), (-1.0, 1.0)])
def test_exposure_leaves_sharpness_as_it_is(pixels, contrast, brightness):
    exposed = (contrast * pixels + brightness).astype(np.float32)

    quality, original = findings.measure(exposed), findings.measure(pixels)

    assert quality.sharpness == pytest.approx(original.sharpness, rel=1e-3)
    assert quality.contrast == pytest.approx(abs(contrast) * original.contrast, rel=1e-3)
    assert quality.brightness == pytest.approx(contrast * original.brightness + brightness, abs=1e-4)


@pytest.mark.parametrize(("height", "width"), [(450, 550), (600, 600), (1800, 2200)])
def test_a_copy_of_another_size_measures_alike(pixels, height, width):
    copy = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)

    quality, original = findings.measure(copy), findings.measure(pixels)

    assert quality.brightness == pytest.approx(original.brightness, abs=0.005)
    assert quality.contrast == pytest.approx(original.contrast, abs=0.01)
    assert quality.sharpness == pytest.approx(original.sharpness, rel=0.1)
