"""ResNet50V2 from the kernels of ResNet50, where no pretrained ResNet50V2 is to be had.

Both have the same convolutions. In ResNet50 each is followed by batch normalisation, in ResNet50V2 some have a bias
instead and the normalisation comes first (He et al. 2016, arXiv:1512.03385 and arXiv:1603.05027). So what normalised a
convolution with a bias is folded into it, and what comes first is set to do nothing. The two networks then differ only
where a block adds its own input: ResNet50 has cut off what lies below zero there, ResNet50V2 has not.
"""

from pathlib import Path

import keras
import numpy as np

# keras.applications' "caffe" preprocessing, for which the kernels were learned: BGR means of ImageNet, of 255.
_MEANS = np.array([103.939, 116.779, 123.68], np.float32)

# Of ResNet50; ResNet50V2 has 49.
_NORMALISATIONS = 53


def is_resnet50(path: Path) -> bool:
    """Return whether a weights file is that of a ResNet50, told from ResNet50V2 by its batch normalisations."""
    import h5py

    with h5py.File(path) as file:
        layers = file.get("layers", {})
        return sum(name.startswith("batch_normalization") for name in layers) == _NORMALISATIONS


def start_from_resnet50(model: keras.Model, path: Path) -> None:
    """Give a model that holds the layers of ResNet50V2, fed −1…1, the kernels of a ResNet50.

    Args:
        model: with the layers of `keras.applications.ResNet50V2` under their names; its weights are changed.
        path: weights of `keras.applications.ResNet50` without the classification top.

    Raises:
        ValueError: if the file holds no such weights.
    """
    source = keras.applications.ResNet50(include_top=False, weights=str(path), input_shape=(64, 64, 3))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.name.endswith(("preact_bn", "post_bn")):
            _set_to_identity(layer)
        elif isinstance(layer, keras.layers.Conv2D):
            kernel, bias = source.get_layer(layer.name).get_weights()
            if layer.name == "conv1_conv":
                # ``255·grey − mean`` is, with ``grey = (1 + x) / 2``, ``127.5·x + (127.5 − mean)``.
                bias = bias + np.einsum("yxio,i->o", kernel, 127.5 - _MEANS)
                kernel = kernel * 127.5
            if layer.use_bias:
                norm = source.get_layer(layer.name.replace("_conv", "_bn"))
                layer.set_weights(_folded(kernel, bias, norm))
            else:
                # The normalisation that follows takes the bias out again.
                following = model.get_layer(layer.name.replace("_conv", "_bn"))
                gamma, beta, mean, variance = source.get_layer(following.name).get_weights()
                following.set_weights([gamma, beta, mean - bias, variance])
                layer.set_weights([kernel])


def _folded(kernel: np.ndarray, bias: np.ndarray, norm: keras.layers.Layer) -> list[np.ndarray]:
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return [kernel * scale, (bias - mean) * scale + beta]


def _set_to_identity(norm: keras.layers.Layer) -> None:
    gamma, beta, mean, variance = norm.get_weights()
    norm.set_weights(
        [
            np.sqrt(np.ones_like(gamma) + norm.epsilon),
            np.zeros_like(beta),
            np.zeros_like(mean),
            np.ones_like(variance),
        ]
    )
