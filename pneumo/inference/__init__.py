"""The life of one film: the lungs are found, the gate checks it, a classifier assesses it, similar cases are sought.

`read_film` is where it begins and ends.
"""

from pneumo.inference.reading import Models, Reading, open_models, read_film

__all__ = ["Models", "Reading", "open_models", "read_film"]
