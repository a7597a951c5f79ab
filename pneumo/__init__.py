"""pneumo reads children's chest radiographs: pneumonia likely, unlikely, or cannot say.

A research demonstration, not a medical device. The names of `__all__` are the library's public ones; each is imported
when it is first asked for, so that importing the package imports neither TensorFlow nor NumPy.
"""

import importlib
import os
from typing import TYPE_CHECKING

from pneumo.sentences import say

if TYPE_CHECKING:
    from pneumo.errors import PneumoError
    from pneumo.explanation.figure import heat_map_figure
    from pneumo.inference.reading import Models, Reading, open_models, read_film
    from pneumo.model_store.store import catalogue
    from pneumo.model_store.store import load as load_model
    from pneumo.radiograph import Radiograph
    from pneumo.training.task import train

# TensorFlow reads this once, when it is first imported; without it every command prints a page of notices.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# ONNX Runtime keeps a database of what it is used for, and sends it to Microsoft unless told not to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"

__all__ = [
    "DISCLAIMER",
    "Models",
    "PneumoError",
    "Radiograph",
    "Reading",
    "__version__",
    "catalogue",
    "heat_map_figure",
    "load_model",
    "open_models",
    "read_film",
    "train",
]

DISCLAIMER = say("Research demonstration, not a medical device: a clinician reads the film and decides.")

_PLACES = {
    "Models": "pneumo.inference.reading:Models",
    "PneumoError": "pneumo.errors:PneumoError",
    "Radiograph": "pneumo.radiograph:Radiograph",
    "Reading": "pneumo.inference.reading:Reading",
    "catalogue": "pneumo.model_store.store:catalogue",
    "heat_map_figure": "pneumo.explanation.figure:heat_map_figure",
    "load_model": "pneumo.model_store.store:load",
    "open_models": "pneumo.inference.reading:open_models",
    "read_film": "pneumo.inference.reading:read_film",
    "train": "pneumo.training.task:train",
}

if not TYPE_CHECKING:  # Type checkers would take every name for one of the package's.

    def __getattr__(name):
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, attribute = _PLACES[name].split(":")
        return getattr(importlib.import_module(module), attribute)

    def __dir__():
        return sorted({*globals(), *__all__})
