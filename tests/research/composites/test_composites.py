from functools import partial
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from pneumo.datasets import kaggle
from pneumo.datasets.samples import load_samples
from pneumo.errors import DatasetError
from research.composites import composites
from research.composites.registration import average

SHARED = Path(__file__).parents[4] / "shared" / "data"
KINDS = {
    "NORMAL": "IM-{patient:04}-{film:04}.jpeg",
    "bacteria": "person{patient}_bacteria_{film}.jpeg",
    "virus": "person{patient}_virus_{film}.jpeg",
}


def chest(rng: np.random.Generator, opaque: bool) -> tuple[np.ndarray, np.ndarray]:
    """A drawn chest and its lung mask, both 224 × 224 uint8."""
    rows, columns = np.mgrid[:224, :224].astype(float)
    ribs = np.sin((rows + rng.uniform(-2, 2) + 10 * ((columns - 112) / 112) ** 2) / 20 * 2 * np.pi)
    film, mask = np.full((224, 224), 170.0), np.zeros((224, 224), np.uint8)
    for centre in (72, 152):
        cv2.ellipse(mask, (centre, 112), (30, 60), 0, 0, 360, 255, -1)
    film[mask > 0] = 60
    film[:, 104:120] = 225
    if opaque:
        film[(mask > 0) & (rows > 110) & (columns < 112)] = 150
    return np.clip(film + 18 * ribs + rng.normal(0, 3, film.shape), 0, 255).astype(np.uint8), mask


def make_data(folder: Path, patients: int, films_each: int = 1) -> tuple[Path, Path]:
    """A data set of drawn chests in the Kaggle layout, and the folder of its lung masks."""
    rng = np.random.default_rng(5)
    data, masks, rows = folder / "chest_xray", folder / "lung_masks", []
    (masks / "masks224").mkdir(parents=True)
    for (split, first), (kind, form) in product((("train", 1), ("test", 501)), KINDS.items()):
        label = "NORMAL" if kind == "NORMAL" else "PNEUMONIA"
        (data / split / label).mkdir(parents=True, exist_ok=True)
        for patient, film in product(range(first, first + patients), range(films_each)):
            name = form.format(patient=patient, film=film)
            drawn = f"masks224/{Path(name).stem}.png"
            pixels, mask = chest(rng, opaque=kind != "NORMAL")
            cv2.imwrite(str(data / split / label / name), pixels)
            cv2.imwrite(str(masks / drawn), mask)
            rows.append((name, drawn, label, split, 1400, 1100))
    columns = ["kermany_file", "mask", "label", "kaggle_split", "orig_width", "orig_height"]
    pd.DataFrame(rows, columns=columns).to_csv(masks / "labels.csv", index=False)
    return data, masks


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("drawn"), patients=9, films_each=2)


@pytest.fixture(scope="module", autouse=True)
def one_round():
    """One round of registration is enough for all that is not about its quality."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composites, "average", partial(average, stiffness=(8.0,)))
        yield


@pytest.fixture(scope="module")
def built(drawn, tmp_path_factory):
    """The composites of the drawn chests, the folder they are in, and the films that each was made of."""
    groups = []

    def spy(films):
        groups.append(films)
        return average(films, stiffness=(8.0,))

    out = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composites, "average", spy)
        samples = composites.build(*drawn, out, films=8, per_class=1)
    return samples, out, groups


def test_every_composite_is_of_different_patients_of_the_train_split(built, drawn):
    _, _, groups = built
    table = kaggle.scan(drawn[0]).set_index("file")

    for films, (label, pathogen) in zip(groups, composites.KINDS.values(), strict=True):
        rows = table.loc[[film.path.relative_to(drawn[0]).as_posix() for film in films]]
        assert len(films) == 8
        assert rows["patient"].nunique() == 8
        assert set(rows["split"]) == {"train"}
        assert set(rows["label"]) == {label}
        assert set(rows["pathogen"]) == {pathogen}


def test_the_folder_holds_what_is_returned(built):
    samples, out, _ = built

    assert load_samples(out) == samples
    names = ["normal_1.png", "bacterial_1.png", "bacterial_1.dcm", "viral_1.png"]
    assert [sample.path.name for sample in samples] == names
    assert {sample.composite_of for sample in samples} == {8}


def test_a_picture_tells_source_and_licence(built):
    with Image.open(built[1] / "viral_1.png") as picture:
        assert picture.mode == "L"
        assert picture.info["Description"].startswith("Composite of 8 radiographs of different patients")
        assert "doi:10.17632/rscbjbr9sj" in picture.info["Source"]
        assert picture.info["Copyright"] == "CC BY 4.0"


def test_opacity_stays_visible(built):
    normal, bacterial = (np.asarray(Image.open(built[1] / f"{kind}_1.png")) for kind in ("normal", "bacterial"))
    height, width = normal.shape

    lower_left = (slice(height * 6 // 10, height * 7 // 10), slice(width * 2 // 10, width * 3 // 10))

    assert bacterial[lower_left].mean() > normal[lower_left].mean() + 30


def test_the_dicom_is_a_digital_x_ray_for_presentation_of_nobody(built):
    film = pydicom.dcmread(built[1] / "bacterial_1.dcm")

    assert film.SOPClassUID == film.file_meta.MediaStorageSOPClassUID == DigitalXRayImageStorageForPresentation
    assert film.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert (film.Modality, film.BodyPartExamined, film.ViewPosition) == ("DX", "CHEST", "AP")
    assert film.PhotometricInterpretation == "MONOCHROME2"
    assert film.PatientName == "COMPOSITE^OF 8 FILMS"
    assert film.ImageComments == "composite of 8"
    assert "composite of 8" in film.DerivationDescription
    assert "PatientAge" not in film
    assert not film.PatientBirthDate
    assert np.array_equal(film.pixel_array, np.asarray(Image.open(built[1] / "bacterial_1.png")))


def test_the_same_seed_gives_the_same_bytes(built, drawn, tmp_path):
    composites.build(*drawn, tmp_path, films=8, per_class=1)

    for sample in built[0]:
        assert (tmp_path / sample.path.name).read_bytes() == sample.path.read_bytes()


def test_too_few_patients_are_refused_with_the_numbers(drawn, tmp_path):
    with pytest.raises(DatasetError, match=r"2 normal composites of 8 films need 16 patients .* has 9 "):
        composites.build(*drawn, tmp_path / "out", films=8, per_class=2)

    assert not (tmp_path / "out").exists()


def test_films_that_do_not_show_the_whole_chest_are_left_out(drawn, tmp_path):
    data, masks = make_data(tmp_path, patients=8)
    for path in (masks / "masks224").glob("IM-000[1-3]*"):
        mask = np.zeros((224, 224), np.uint8)
        mask[0:170, 40:180] = 255
        cv2.imwrite(str(path), mask)

    with pytest.raises(DatasetError, match="has 5 "):
        composites.build(data, masks, tmp_path / "out", films=8, per_class=1)


def test_missing_masks_are_refused(drawn, tmp_path):
    with pytest.raises(DatasetError, match=r"labels\.csv"):
        composites.build(drawn[0], tmp_path, tmp_path / "out")


@pytest.mark.parametrize("asked", [{"films": 7}, {"per_class": 0}])
def test_composites_that_would_show_a_child_are_not_made(drawn, tmp_path, asked):
    with pytest.raises(ValueError, match="at least 8 films and 1 composite"):
        composites.build(*drawn, tmp_path, **asked)


def test_sharpening_steepens_an_edge_and_leaves_flat_grey_alone():
    mean = np.full((40, 60), 100, np.float32)
    mean[:, 30:] = 150

    sharp = composites.sharpened(mean)

    assert sharp.dtype == np.uint8
    assert (sharp[:, :20] == 100).all()
    assert sharp[20, 29] < 100
    assert sharp[20, 30] > 150


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_real_films_register_to_a_sharper_mean():
    table = kaggle.scan(SHARED / "chest_xray")
    rng = np.random.default_rng(0)
    pool = composites._candidates(table, SHARED / "chest_xray", SHARED / "lung_masks", "viral", rng)
    blurred, sharp = average(pool[:8], stiffness=()), average(pool[:8])

    def energy(picture):
        return sum((slope**2).mean() for slope in np.gradient(picture))

    assert len({film.patient for film in pool}) == len(pool) >= 48
    assert energy(sharp) > 1.3 * energy(blurred)
