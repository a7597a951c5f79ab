"""The family of small CNNs that `pneumo.search` chooses from: what may vary, and how a choice becomes a network."""

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
from keras import layers

from pneumo.preprocessing import Augmentation
from pneumo.training import Recipe

if TYPE_CHECKING:
    import optuna

NAME = "cnn_search"
MAX_PARAMETERS = 1_000_000
SIZES = (96, 128, 160)
HEADS = (32, 64, 128)
BLOCK_KINDS = ("plain", "residual", "squeeze_excitation")
# Bounds, both included, and the step between numbers of filters.
BLOCKS = (3, 5)
FIRST_FILTERS = (16, 32, 8)
WIDEST = (64, 256, 32)
# Trials are short: averages of a layer's statistics and of the weights must follow within one epoch.
_NORM_MOMENTUM = 0.9
_AVERAGE = 0.98
# Of the numbers in between, the squeeze of a squeeze-and-excitation keeps one in this many (Hu et al. 2018).
_SQUEEZE = 8


@dataclass(frozen=True)
class Configuration:
    """One network of the family and how it learns; the attributes are the hyperparameters of a trial.

    Attributes:
        size: side of the square input in pixels.
        blocks: of convolutions; the first convolution of all halves the picture, and so does each step between blocks.
        first_filters: of the first block; they double from block to block, as far as `widest`.
        widest: the most filters of a block.
        first_kernel: side of the first kernel in pixels; all others are 3 wide.
        convolutions: in a block.
        separable: whether all convolutions but the first are depthwise separable (Chollet 2017, arXiv:1610.02357).
        block_kind: ``plain``, ``residual`` (He et al. 2016, arXiv:1512.03385) or ``squeeze_excitation`` (Hu et al.
            2018, arXiv:1709.01507).
        head: units of the hidden dense layer.
        dropout: share of the hidden units that are dropped in training, 0…1.
        learning_rate: see `Recipe`.
        weight_decay: see `Recipe`.
        min_area: see `Augmentation`.
    """

    size: int
    blocks: int
    first_filters: int
    widest: int
    first_kernel: int
    convolutions: int
    separable: bool
    block_kind: str
    head: int
    dropout: float
    learning_rate: float
    weight_decay: float
    min_area: float

    def __str__(self) -> str:
        """Name what tells the network from others, as in ``128 px, filters 32–64–128, residual, batch norm``."""
        special = {
            "two convolutions a block": self.convolutions == 2,
            "5-wide first kernel": self.first_kernel == 5,
            self.block_kind.replace("_", " "): self.block_kind != "plain",
            "separable": self.separable,
        }
        filters = "–".join(map(str, self.filters))
        return ", ".join([f"{self.size} px", f"filters {filters}", *(name for name in special if special[name])])

    @property
    def filters(self) -> tuple[int, ...]:
        """The number of filters of each block."""
        return tuple(min(self.first_filters * 2**block, self.widest) for block in range(self.blocks))

    @property
    def cam_layer(self) -> str:
        """The layer whose feature maps a heat map is drawn from: the last of the last block."""
        return f"block{self.blocks}"

    def recipe(self, epochs: int, seed: int) -> Recipe:
        """Return how the network is trained, with the patience of the other networks that start at random."""
        return Recipe(
            epochs=epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            patience=8,
            seed=seed,
            average=_AVERAGE,
            precision="mixed_bfloat16",
            augmentation=Augmentation(min_area=self.min_area),
        )


def from_trial(trial: "optuna.trial.BaseTrial") -> Configuration:
    """Let a trial choose a configuration; no choice has more than `MAX_PARAMETERS` parameters.

    The widest block is chosen last, and only among the widths that the rest leaves room for.
    """
    rest = Configuration(
        size=trial.suggest_categorical("size", SIZES),
        blocks=trial.suggest_int("blocks", *BLOCKS),
        first_filters=trial.suggest_int("first_filters", FIRST_FILTERS[0], FIRST_FILTERS[1], step=FIRST_FILTERS[2]),
        widest=WIDEST[0],
        first_kernel=trial.suggest_categorical("first_kernel", (3, 5)),
        convolutions=trial.suggest_int("convolutions", 1, 2),
        separable=trial.suggest_categorical("separable", (False, True)),
        block_kind=trial.suggest_categorical("block_kind", BLOCK_KINDS),
        head=trial.suggest_categorical("head", HEADS),
        dropout=trial.suggest_float("dropout", 0.0, 0.5),
        learning_rate=trial.suggest_float("learning_rate", 3e-4, 3e-3, log=True),
        weight_decay=trial.suggest_float("weight_decay", 1e-5, 1e-2, log=True),
        min_area=trial.suggest_float("min_area", 0.1, 0.5),
    )
    low, high, step = WIDEST
    limit = max(
        widest
        for widest in range(low, high + 1, step)
        if widest == low or parameters(dataclasses.replace(rest, widest=widest)) <= MAX_PARAMETERS
    )
    return dataclasses.replace(rest, widest=trial.suggest_int("widest", low, limit, step=step))


def parameters(configuration: Configuration) -> int:
    """Return the number of weights of the network, as `keras.Model.count_params` does."""
    return build(configuration).count_params()


def build(configuration: Configuration) -> keras.Model:
    """Build a network of the family from random weights.

    Returns:
        A flat model from (size, size, 1) float32 in 0…1 to (1,) float32, the probability of pneumonia, with feature
        maps in the layer `Configuration.cam_layer`.
    """
    picture = keras.Input((configuration.size, configuration.size, 1), name="film")
    x = picture
    for number, filters in enumerate(configuration.filters, start=1):
        if number > 1:
            x = layers.MaxPooling2D(2)(x)
        x = _block(x, filters, configuration, number)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(configuration.head, activation="relu")(x)
    x = layers.Dropout(configuration.dropout)(x)
    probability = layers.Dense(1, activation="sigmoid", dtype="float32", name="pneumonia")(x)
    return keras.Model(picture, probability, name=NAME)


def _block(entry: keras.KerasTensor, filters: int, configuration: Configuration, number: int) -> keras.KerasTensor:
    x = entry
    for index in range(configuration.convolutions):
        if index > 0:
            x = layers.ReLU()(x)
        x = _convolved(x, filters, configuration, first=number == 1 and index == 0)
    if configuration.block_kind == "squeeze_excitation":
        x = _excited(x, filters)
    if configuration.block_kind == "residual":
        x = layers.Add()([x, _shortcut(entry, x)])
    return layers.ReLU(name=f"block{number}")(x)


def _shortcut(entry: keras.KerasTensor, x: keras.KerasTensor) -> keras.KerasTensor:
    """Bring what came in to the shape of what it is added to (He et al. 2019, arXiv:1812.01187)."""
    if entry.shape[1] != x.shape[1]:
        # A convolution of one channel with a stride writes where it must not in TensorFlow 2.21 on some processors.
        entry = layers.AveragePooling2D(entry.shape[1] // x.shape[1])(entry)
    return entry if entry.shape[-1] == x.shape[-1] else layers.Conv2D(x.shape[-1], 1)(entry)


def _convolved(x: keras.KerasTensor, filters: int, configuration: Configuration, *, first: bool) -> keras.KerasTensor:
    # On one grey channel the filters of a separable convolution would be multiples of one another.
    kind = layers.SeparableConv2D if configuration.separable and not first else layers.Conv2D
    width = configuration.first_kernel if first else 3
    x = kind(filters, width, strides=2 if first else 1, padding="same", use_bias=False)(x)
    return layers.BatchNormalization(momentum=_NORM_MOMENTUM)(x)


def _excited(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    weights = layers.GlobalAveragePooling2D(keepdims=True)(x)
    weights = layers.Dense(filters // _SQUEEZE, activation="relu")(weights)
    return layers.Multiply()([x, layers.Dense(filters, activation="sigmoid")(weights)])
