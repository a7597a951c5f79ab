"""The errors that pneumo raises on purpose.

Each message says what was wrong, with which input, and what to do next, in a sentence that may be shown to a
user as it stands.
"""

import importlib.util
from typing import Any

from pneumo.sentences import say


class PneumoError(Exception):
    """Base of every error that pneumo raises on purpose.

    Its text is a `pneumo.sentences.Sentence`: a template, and the values that fill it.
    """

    def __init__(self, template: str, **values: Any) -> None:
        super().__init__(say(template, **values))


class ImageError(PneumoError):
    """A picture cannot be used."""


class UnreadableImageError(ImageError):
    """The bytes are damaged, empty, or of no known image format."""


class UnsupportedImageError(ImageError):
    """The file is a sound image of a kind that pneumo does not read (several frames, no pixels, …)."""


class ImageSizeError(ImageError):
    """The file or the picture in it is larger or smaller than the limits."""


class DatasetError(PneumoError):
    """A data set is missing, incomplete, or breaks a rule such as "no patient in two splits"."""


class ModelError(PneumoError):
    """A model folder is missing, incomplete, or does not match its card."""


class GateError(ModelError):
    """The networks that check films are missing or damaged, so no film is assessed unless the user waives the check."""


class PackageError(PneumoError):
    """A package is missing that reading films does not need, and that a smaller install leaves out."""


class WorkerError(PneumoError):
    """Another worker of a training on several of them is gone."""


class ExplanationError(PneumoError):
    """No heat map can be computed for this model."""


class BusyError(PneumoError):
    """More films are waiting to be read than the queue holds."""


class AuditError(PneumoError):
    """The audit log that was asked for cannot be written."""


class SpoolError(PneumoError):
    """The folder of films and answers that wait cannot be used."""


class ArchiveError(PneumoError):
    """An archive is damaged or cannot be reached, does not take what is sent to it, or is not that of some results."""


def require_package(name: str) -> None:
    """Raise an error that says how to install a package, if it is missing.

    Args:
        name: by which Python imports it.

    Raises:
        PackageError: if it is not installed.
    """
    if importlib.util.find_spec(name) is None:
        package = {"sklearn": "scikit-learn"}.get(name, name)
        raise PackageError(
            "{package} is not installed here. Install it with {command}.",
            package=package,
            command=f"pip install {package}",
        )


def out_of_memory(name: str) -> ImageSizeError:
    """Return what is told of a film that takes more memory than there is, in place of a `MemoryError`."""
    return ImageSizeError("{name} needs more memory than there is. Export the film in a smaller size.", name=name)
