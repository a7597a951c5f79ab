"""Composite radiographs: averages of films of different patients, which show no child and may be shared.

Films are grouped by where their opacity lies (`research.composites.opacity_groups`), brought to one geometry and
averaged (`research.composites.registration`).
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from pneumo import labels
from pneumo.datasets import kaggle, lung_masks
from pneumo.datasets.samples import Sample, save_index
from pneumo.datasets.summary import FEWEST
from pneumo.errors import DatasetError
from research.composites.opacity_groups import group_by_opacity, thumbnail
from research.composites.registration import Film, Grey, average, fills_frame, lung_box, read_grey

KINDS = {
    "normal": ("NORMAL", ""),
    "bacterial": ("PNEUMONIA", "bacteria"),
    "viral": ("PNEUMONIA", "virus"),
}
SOURCE = (
    "Kermany, Zhang, Goldbaum: Labeled Optical Coherence Tomography (OCT) and Chest X-Ray Images for "
    "Classification, Mendeley Data 2018, doi:10.17632/rscbjbr9sj"
)
LICENCE = "CC BY 4.0"

# Width:height of the lungs in the original; beyond these the common frame would visibly distort a chest.
PROPORTIONS = (1.05, 1.7)
POOL = 500
SHARPENING = 0.9
SHARPENING_RADIUS = 2.0


def build(
    data: Path,
    masks: Path,
    out: Path,
    *,
    films: int = 12,
    per_class: int = 4,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Sample]:
    """Make the sample pictures of the app from the official train split.

    No patient stands in two composites of a class.

    Args:
        data: a data set in the Kaggle layout, squashed or original.
        masks: the folder that holds ``labels.csv`` and ``masks224/``.
        out: receives ``normal_1.png`` …, ``bacterial_1.dcm`` and ``samples.json``; made if missing.
        films: films in a composite, each of another patient.
        per_class: composites of each kind (normal, bacterial, viral).
        seed: chooses which of a patient's films and, in a large data set, which patients are considered.
        progress: called with a line on each composite before it is made.

    Raises:
        DatasetError: if data or masks are missing, or too few patients have a film that fills the frame.
        ValueError: if `films` is below 8 or `per_class` below 1.
    """
    if films < FEWEST or per_class < 1:
        raise ValueError(f"Ask for at least {FEWEST} films and 1 composite, not {films} and {per_class}.")
    rng = np.random.default_rng(seed)
    table = kaggle.scan(data)
    root = kaggle.find_root(data)
    pools = {kind: _candidates(table, root, masks, kind, rng) for kind in KINDS}
    for kind, pool in pools.items():
        if len(pool) < films * per_class:
            raise DatasetError(
                f"{per_class} {kind} composites of {films} films need {films * per_class} patients with a "
                f"lung mask and a film of the whole chest; {data} has {len(pool)} in its train split. "
                "Ask for fewer films or composites, or use the complete data set."
            )
    thumbnails = {kind: np.stack([thumbnail(film) for film in pool]) for kind, pool in pools.items()}
    healthy = np.asarray(thumbnails["normal"].mean(axis=0), np.float32)
    out.mkdir(parents=True, exist_ok=True)
    samples = []
    for kind, (label, pathogen) in KINDS.items():
        title = labels.KINDS[label, pathogen]
        groups = group_by_opacity(thumbnails[kind], healthy, films, per_class, seek=label == "PNEUMONIA")
        for number, members in enumerate(groups, start=1):
            progress(f"{title} {number}: averaging films of {films} patients")
            chosen = [pools[kind][member] for member in members]
            picture = sharpened(average(chosen))
            description = (
                f"Composite of {films} radiographs of different patients, registered to one geometry, averaged without "
                "the extremes of each pixel, and mildly sharpened; it shows no single child. "
                f"All are labelled {title.lower()}."
            )
            path = out / f"{kind}_{number}.png"
            sample = Sample(path, label, pathogen, films, f"{title} {number}", description)
            write_png(picture, path, description)
            samples.append(sample)
            if path.stem == "bacterial_1":
                as_dicom = Sample(path.with_suffix(".dcm"), label, pathogen, films, f"{title} 1 (DICOM)", description)
                write_dicom(picture, as_dicom, _compression(chosen))
                samples.append(as_dicom)
    save_index(samples, out)
    return samples


def _candidates(table: pd.DataFrame, root: Path, masks: Path, kind: str, rng: np.random.Generator) -> list[Film]:
    label, pathogen = KINDS[kind]
    drawn = lung_masks.read_table(masks / lung_masks.TABLE).set_index("name").to_dict("index")
    wanted = (table["split"] == "train") & (table["label"] == label) & (table["pathogen"] == pathogen)
    rows = table[wanted]
    pool: dict[str, Film] = {}
    shuffled = rows.iloc[rng.permutation(len(rows))]
    for file, patient in zip(shuffled["file"], shuffled["patient"], strict=True):
        known = drawn.get(Path(file).name)
        if known is None or patient in pool:
            continue
        mask = masks / known["mask"]
        box = lung_box(read_grey(mask))
        if box is None or not fills_frame(box):
            continue
        width, height = (box[2] - box[0]) * known["width"], (box[3] - box[1]) * known["height"]
        if PROPORTIONS[0] <= width / height <= PROPORTIONS[1]:
            pool[patient] = Film(root / file, patient, mask, box)
        if len(pool) == POOL:
            break
    return list(pool.values())


def sharpened(mean: Grey) -> npt.NDArray[np.uint8]:
    """Apply a mild unsharp mask (0.9 of the detail below a Gaussian of 2 pixels) to grey values 0…255."""
    detail = mean - cv2.GaussianBlur(mean, (0, 0), SHARPENING_RADIUS)
    return np.clip(mean + SHARPENING * detail, 0, 255).round().astype(np.uint8)


def write_png(picture: npt.NDArray[np.uint8], path: Path, description: str) -> None:
    """Write a grey picture with its description, source and licence as PNG text chunks."""
    text = PngInfo()
    for key, value in {"Description": description, "Source": SOURCE, "Copyright": LICENCE}.items():
        text.add_text(key, value)
    Image.fromarray(picture).save(path, format="PNG", optimize=True, pnginfo=text)


def write_dicom(picture: npt.NDArray[np.uint8], sample: Sample, compression: float) -> None:
    """Write a composite as Digital X-Ray Image For Presentation (DICOM PS3.3 A.26), explicit little endian.

    Attributes that only one child or one device could have are empty; Imager Pixel Spacing, which the
    standard asks for, is left out, since the data set does not tell it.

    Args:
        picture: shape (height, width).
        sample: names the file and tells what is in it.
        compression: ratio of the lossy JPEG compression that the films have been through.
    """
    pixels = picture.tobytes()
    seed = sha256(pixels).hexdigest()
    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.SpecificCharacterSet = "ISO_IR 192"
    film.SOPClassUID = DigitalXRayImageStorageForPresentation
    film.SOPInstanceUID, film.SeriesInstanceUID, film.StudyInstanceUID = (
        generate_uid(entropy_srcs=[seed, level]) for level in ("image", "series", "study")
    )
    film.PatientName = f"COMPOSITE^OF {sample.composite_of} FILMS"
    film.PatientID = "COMPOSITE"
    for unknown in (
        *("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber"),
        *("ReferringPhysicianName", "Manufacturer", "DetectorType"),
    ):
        setattr(film, unknown, "")
    film.Modality, film.PresentationIntentType = "DX", "FOR PRESENTATION"
    film.SeriesNumber, film.InstanceNumber = 1, 1
    film.ImageType = ["DERIVED", "PRIMARY"]
    film.ImageComments = f"composite of {sample.composite_of}"
    film.DerivationDescription = f"composite of {sample.composite_of}: registered, averaged, sharpened. {LICENCE}"
    film.ContentDescription = sample.title
    film.BodyPartExamined, film.ViewPosition, film.ImageLaterality = "CHEST", "AP", "U"
    film.PatientOrientation = ["L", "F"]
    film.AnatomicRegionSequence = [_code("51185008", "Chest")]
    film.ViewCodeSequence = [_code("399348003", "antero-posterior")]
    film.AcquisitionContextSequence = []
    film.BurnedInAnnotation = "NO"
    film.LossyImageCompression, film.LossyImageCompressionRatio = "01", f"{compression:.1f}"
    film.LossyImageCompressionMethod = "ISO_10918_1"
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, "MONOCHROME2"
    film.Rows, film.Columns = picture.shape
    film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = 8, 8, 7, 0
    film.PixelIntensityRelationship, film.PixelIntensityRelationshipSign = "LOG", -1
    film.RescaleIntercept, film.RescaleSlope, film.RescaleType = 0, 1, "US"
    film.PresentationLUTShape = "IDENTITY"
    film.WindowCenter, film.WindowWidth = 128, 256
    film.PixelData = pixels + b"\0" * (len(pixels) % 2)
    film["PixelData"].VR = "OB"
    film.save_as(sample.path, enforce_file_format=True)


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "SCT", meaning
    return code


def _compression(films: Sequence[Film]) -> float:
    return sum(read_grey(film.path).size for film in films) / sum(film.path.stat().st_size for film in films)
