"""The frozen configuration that each shipped model is trained with."""

from dataclasses import dataclass

from pneumo.preprocessing import augmentation
from pneumo.preprocessing.augmentation import Augmentation
from pneumo.training.linear_probe import Probe
from pneumo.training.loop import Recipe
from pneumo.training.views import Mix

# A network that sees positions, not shapes, learns nothing from a film that is cropped at random.
_SCRATCH = Recipe(epochs=20, learning_rate=1e-3, patience=8)


@dataclass(frozen=True)
class Joined:
    """What a model joins, see `pneumo.networks.ensemble.Switch`.

    Attributes:
        title: for people.
        family: see `ModelCard.family`.
        home: the models that answer films like those of hospitals that are known; the first tells which these are.
        elsewhere: those that answer foreign films.
    """

    title: str
    family: str
    home: tuple[str, ...]
    elsewhere: tuple[str, ...]


# `everywhere_film` tells films of hospitals that it knows better than any network that does not lean on how such films
# look as a whole; `everywhere_places` leans on nothing but opacities. Both ship inside what joins them alone.
JOINED = {
    "everywhere": Joined(
        "Everywhere: at home and away, MobileNetV2", "transfer", ("everywhere_film",), ("everywhere_places",)
    ),
    "ensemble": Joined("Ensemble", "ensemble", ("everywhere_film", "mobilenetv2_lungs"), ("everywhere_places",)),
}

# What tells bacterial from viral pneumonia starts from this classifier, which knows pneumonia already. The pattern of
# the opacities is finer than whether there are any, hence the larger input and crops.
PATHOGEN_START = "mobilenetv2"
PATHOGEN_SIZE = 192
PATHOGEN = Recipe(epochs=24, seed=1, augmentation=Augmentation(min_area=0.35))

RECIPES: dict[str, Recipe | Probe] = {
    "dense": Recipe(epochs=20, learning_rate=1e-3, patience=8, augmentation=Augmentation(min_area=0.8)),
    "cnn": Recipe(epochs=20, learning_rate=1e-3, patience=8, augmentation=Augmentation(min_area=0.5)),
    "cnn_deep": _SCRATCH,
    "vgg19": Probe(views=1),
    "resnet50v2": Recipe(epochs=6, precision="mixed_bfloat16"),
    "resnet50": Recipe(epochs=8),
    "densenet121": Recipe(epochs=8),
    "mobilenetv2": Recipe(),
    "mobilenetv2_lungs": Recipe(),
    "mobilenetv2_192": Recipe(epochs=16, seed=1, aspect_ratio=augmentation.RANDOMISED),
    # It learns from other hospitals besides (`--hospitals`).
    "everywhere_film": Recipe(
        epochs=24, mix=Mix(home=0.65, swapped=0.6), augmentation=Augmentation(min_area=0.3, detail=0.4)
    ),
    "densenet121_lungs": Recipe(epochs=8, precision="mixed_bfloat16"),
}
