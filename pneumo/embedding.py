"""Where a film lies in a classifier's embedding: what the network hands to its last unit."""

import threading
from typing import TYPE_CHECKING

import numpy as np

from pneumo.errors import ModelError

if TYPE_CHECKING:
    from pneumo.classifier import Classifier


class Embedder:
    """Embeds the films that a classifier has seen; one object may serve many threads.

    Attributes:
        layer: whose output the embedding is; Dropout, which does nothing to a film that is assessed, is passed over.

    Raises:
        ModelError: if the classifier joins several networks and so has no embedding.
    """

    def __init__(self, classifier: "Classifier") -> None:
        import keras

        if classifier.card.members:
            raise ModelError(
                f"{classifier.card.title} joins several models and has no embedding of its own, so similar films "
                "cannot be looked up. Choose one of its members."
            )
        # The layers are shared and the classifier keeps its last unit: nothing of it is changed or copied.
        model = classifier.model
        before = [layer for layer in model.layers[:-1] if not isinstance(layer, keras.layers.Dropout)]
        self.layer: str = before[-1].name
        self._network = keras.Model(model.inputs, model.layers[-1].input)
        self._lock = threading.Lock()

    def embed(self, pictures: np.ndarray) -> np.ndarray:
        """Embed films.

        Args:
            pictures: (films, size, size, views) float32, each as `Assessment.model_input`.

        Returns:
            (films, features) float32.
        """
        # As in `Classifier`: the first call builds a function, and Keras does not guard that.
        with self._lock:
            return np.asarray(self._network.predict_on_batch(pictures), np.float32)

    def warm_up(self) -> None:
        """Embed a black picture, so that the first film does not wait for its graph."""
        self.embed(np.zeros((1, *self._network.input_shape[1:]), np.float32))
