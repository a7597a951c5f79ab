"""Name → Keras model: one registry of everything that pneumo can train.

Every model is one flat functional graph from a (size, size, 1) picture in 0…1 to one sigmoid probability of
pneumonia. The scaling that a pretrained backbone expects is a layer of the model, so no caller can forget it;
a flat graph is what heat maps and float16 storage need.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
from keras import layers

from pneumo.networks import resnet50v2
from pneumo.preprocessing import crops

# keras.applications' three input conventions as (scale, offset) for a grey value in 0…1 in each channel.
_SCALINGS: dict[str, tuple[list[float], list[float]]] = {
    "tf": ([2.0] * 3, [-1.0] * 3),
    "caffe": ([255.0] * 3, [-103.939, -116.779, -123.68]),
    "torch": ([1 / 0.229, 1 / 0.224, 1 / 0.225], [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225]),
}


@dataclass(frozen=True)
class Architecture:
    """What the registry knows of a model before it is built.

    Attributes:
        name: registry key.
        title: for people.
        family: ``"dense"``, ``"cnn"`` or ``"transfer"``.
        seed_system: the published system that it stands for, or None.
        size: side of the square input in pixels.
        cam_layer: the layer whose feature maps a heat map is drawn from; None where there is none.
        build: (input tensor, weights) → feature tensor that the sigmoid unit is put on.
        pretrained: whether ImageNet weights exist for it.
        view: what of a film it sees, a key of `crops.CROPS`.
    """

    name: str
    title: str
    family: str
    seed_system: str | None
    size: int
    cam_layer: str | None
    build: Callable[[keras.KerasTensor, str | None], keras.KerasTensor]
    pretrained: bool = False
    view: str = crops.FILM


def build(name: str, weights: str | Path | None = None, size: int | None = None) -> keras.Model:
    """Build a model.

    Args:
        name: a key of `REGISTRY`.
        weights: ``"imagenet"`` (Keras downloads them), the path of a weights file without the classification
            top, or None to start from random weights. ``resnet50v2`` also takes those of ResNet50, see
            `pneumo.networks.resnet50v2`. With weights, batch normalisation is frozen at its
            statistics: batches of a few films would only blur them.
        size: side of the input in pixels, the registry's where None.

    Returns:
        A model from (size, size, 1) float32 in 0…1 to (1,) float32, the probability of pneumonia.

    Raises:
        ValueError: for an unknown name, weights for a model that has none, or a file that is not there.
    """
    if name not in REGISTRY:
        raise ValueError(f"There is no architecture {name!r}. Choose one of: {', '.join(REGISTRY)}.")
    architecture = REGISTRY[name]
    if weights is not None and not architecture.pretrained:
        raise ValueError(f"{name} is trained from random weights; leave weights out (or say `none`).")
    if weights not in (None, "imagenet") and not Path(str(weights)).is_file():
        raise ValueError(f"There is no weights file {weights}. Give a path, `imagenet` or `none`.")

    side = size or architecture.size
    picture = keras.Input((side, side, 1), name="film")
    features = architecture.build(picture, None if weights is None else str(weights))
    probability = layers.Dense(1, activation="sigmoid", dtype="float32", name="pneumonia")(features)
    model = keras.Model(picture, probability, name=name)
    if weights is not None:
        for layer in model.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.trainable = False
    return model


def _dense(picture: keras.KerasTensor, weights: str | None) -> keras.KerasTensor:
    x = layers.Flatten()(picture)
    x = layers.Dense(128, activation="relu")(x)
    return layers.Dense(64, activation="relu")(x)


def _cnn(picture: keras.KerasTensor, weights: str | None) -> keras.KerasTensor:
    x = layers.Conv2D(32, 3, padding="same", activation="relu", name="conv1")(picture)
    x = layers.MaxPooling2D(4)(x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(4)(x)
    x = layers.Flatten()(x)
    return layers.Dense(64, activation="relu")(x)


def _cnn_deep(picture: keras.KerasTensor, weights: str | None) -> keras.KerasTensor:
    x = picture
    for block, filters in enumerate((32, 64, 128, 256), start=1):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv{block}")(x)
        x = layers.BatchNormalization(name=f"norm{block}")(x)
        x = layers.ReLU(name=f"relu{block}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(0.3)(x)
    return layers.Dense(64, activation="relu")(x)


def _transfer(
    backbone: Callable[..., keras.Model], scaling: str
) -> Callable[[keras.KerasTensor, str | None], keras.KerasTensor]:
    def build_features(picture: keras.KerasTensor, weights: str | None) -> keras.KerasTensor:
        scale, offset = _SCALINGS[scaling]
        x = layers.Concatenate(name="grey_to_rgb")([picture, picture, picture])
        x = layers.Rescaling(scale, offset, name=f"scaling_{scaling}")(x)
        features = backbone(include_top=False, weights=weights, input_tensor=x).output
        return layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(features))

    return build_features


def _resnet50v2(picture: keras.KerasTensor, weights: str | None) -> keras.KerasTensor:
    older = weights not in (None, "imagenet") and resnet50v2.is_resnet50(Path(str(weights)))
    features = _transfer(keras.applications.ResNet50V2, "tf")(picture, None if older else weights)
    if older:
        resnet50v2.start_from_resnet50(keras.Model(picture, features), Path(str(weights)))
    return features


# The layer that heat maps are drawn from, and the features, of each backbone.
_VGG19 = "block5_conv4", _transfer(keras.applications.VGG19, "caffe")
_RESNET50V2 = "post_relu", _resnet50v2
_RESNET50 = "conv5_block3_out", _transfer(keras.applications.ResNet50, "caffe")
_DENSENET121 = "relu", _transfer(keras.applications.DenseNet121, "torch")
_MOBILENETV2 = "out_relu", _transfer(keras.applications.MobileNetV2, "tf")


def _pretrained(
    name: str,
    title: str,
    backbone: tuple[str, Callable[[keras.KerasTensor, str | None], keras.KerasTensor]],
    size: int = 160,
    view: str = crops.FILM,
    published: str | None = None,
) -> Architecture:
    return Architecture(name, title, "transfer", published, size, *backbone, pretrained=True, view=view)


_ALL = (
    Architecture("dense", "Dense baseline", "dense", "dense baseline, two hidden ReLU layers", 64, None, _dense),
    Architecture("cnn", "Small CNN", "cnn", "CNN, two convolutions + max-pooling + dense", 128, "conv2", _cnn),
    Architecture(
        "cnn_deep", "Deeper CNN", "cnn", "deeper CNN, more filters, two dense layers", 128, "relu4", _cnn_deep
    ),
    _pretrained("vgg19", "VGG19 transfer", _VGG19, published="VGG19 transfer"),
    _pretrained("resnet50v2", "ResNet50V2 transfer", _RESNET50V2, published="ResNet50V2 transfer"),
    _pretrained("resnet50", "ResNet50 transfer", _RESNET50),
    _pretrained("densenet121", "DenseNet121 transfer", _DENSENET121),
    _pretrained("mobilenetv2", "MobileNetV2 transfer", _MOBILENETV2),
    _pretrained("mobilenetv2_192", "MobileNetV2 at 192 px", _MOBILENETV2, 192),
    _pretrained("everywhere_film", "Whole film of several hospitals, MobileNetV2", _MOBILENETV2),
    _pretrained("densenet121_lungs", "Lungs-only DenseNet121", _DENSENET121, view=crops.LUNGS),
    _pretrained("mobilenetv2_lungs", "Lungs-only MobileNetV2", _MOBILENETV2, view=crops.LUNGS),
)

REGISTRY: dict[str, Architecture] = {architecture.name: architecture for architecture in _ALL}
