"""The ways to draw a heat map, each a function from pictures to maps of one network.

All explain the logit, on a copy of the network whose last unit is linear: a saturated sigmoid has no gradient, and the
network that assesses films is never touched. Where tf-keras-vis is right for one sigmoid unit it draws the map. It is
not for Score-CAM, whose softmax over a single score weighs all channels alike, nor fit for SmoothGrad, which it takes
one sample at a time from NumPy's global random numbers.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

METHODS = {
    "gradcam": "Grad-CAM",
    "gradcam++": "Grad-CAM++",
    "layercam": "LayerCAM",
    "scorecam": "Score-CAM",
    "smoothgrad": "SmoothGrad",
}
# What a map of a method that needs no feature maps was drawn from.
INPUT = "input"
# Score-CAM assesses the film once for each channel; of 1,280 only the ones that vary most over the film are asked, as
# in Faster Score-CAM. With 10 the slowest network (VGG19) stays under two seconds a film on two cores.
SCORE_CAM_CHANNELS = 10
# Smilkov et al. find 10 to 20 % noise best; their 50 samples would take VGG19 ten seconds and more.
SMOOTHGRAD_SAMPLES = 8
SMOOTHGRAD_NOISE = 0.15
# Width of the Gaussian over a SmoothGrad map as a share of its side: single pixels show nothing that can be read.
SMOOTHGRAD_BLUR = 1 / 40

# (films, size, size, 1) float32 → (films, rows, columns) float32, zero or more.
Drawer = Callable[[np.ndarray], np.ndarray]


def drawer(model: Any, layer: str, method: str) -> Drawer:
    """Return what draws the maps of a flat network that ends in one unit.

    A map times the number of its cells is a density: the logit per film that each place gives. Those of Score-CAM and
    SmoothGrad have no scale of their own, so their hottest place is given that of the score, −log(1 − p).

    Args:
        model: the Keras model; it is copied and left as it is.
        layer: whose feature maps are used, where the method uses any.
        method: key of `METHODS`.

    Raises:
        ValueError: if there is no such method.
    """
    if method not in METHODS:
        raise ValueError(f"There is no method {method!r}. Choose one of: {', '.join(METHODS)}.")
    if method == "scorecam":
        return _score_cam(model, layer)
    if method == "smoothgrad":
        return _smoothgrad(model)
    return _gradient_cam(model, layer, method)


def _gradient_cam(model: Any, layer: str, method: str) -> Drawer:
    """Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391), Grad-CAM++ (Chattopadhay et al. 2018, arXiv:1710.11063),
    LayerCAM (Jiang et al. 2021, doi:10.1109/TIP.2021.3089943).
    """
    import keras
    import tensorflow as tf
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.layercam import Layercam
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear

    kind = {"gradcam": Gradcam, "gradcam++": GradcamPlusPlus, "layercam": Layercam}[method]
    # tf-keras-vis runs a network step by step, and needs no more of it than what follows the feature maps: up to there
    # it is compiled, which for MobileNetV2 takes a tenth of the time.
    features = model.get_layer(layer).output
    body = keras.Model(model.inputs, features)
    visualiser = kind(keras.Model(features, model.outputs[0]), ReplaceToLinear(), clone=True)
    given = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    read = tf.function(lambda pictures: body(pictures, training=False), input_signature=[given])

    def score(logit: Any) -> Any:
        # Its gradient is the logit's. Grad-CAM++ multiplies the whole map by exp(score), which would let the heat of
        # two films, or of two members of an ensemble, differ by orders of magnitude.
        return logit[:, 0] - tf.stop_gradient(logit[:, 0])

    def draw(pictures: np.ndarray) -> np.ndarray:
        maps = visualiser(
            score,
            read(pictures),
            penultimate_layer=0,
            seek_penultimate_conv_layer=False,
            expand_cam=False,
            normalize_cam=False,
        )
        return np.asarray(maps, np.float32)

    return draw


def _score_cam(model: Any, layer: str) -> Drawer:
    """Score-CAM (Wang et al. 2020, arXiv:1910.01279, algorithm 1): each channel weighs the softmax, over the channels,
    of the logit of the film behind it.
    """
    read = _compiled(lambda network, pictures: network(pictures, training=False), model, layer)
    return lambda pictures: np.stack([_score_cam_of(picture, read) for picture in pictures])


def _score_cam_of(picture: np.ndarray, read: Callable[[np.ndarray], Any]) -> np.ndarray:
    features, logit = (read_out.numpy()[0] for read_out in read(picture[np.newaxis]))
    varied = np.argsort(-features.std(axis=(0, 1)), kind="stable")[:SCORE_CAM_CHANNELS]
    # A channel that is the same everywhere hides nothing and shows nothing.
    kept = [features[..., channel] for channel in varied if np.ptp(features[..., channel]) > 0]
    if not kept:
        return np.zeros(features.shape[:2], np.float32)
    size = picture.shape[1::-1]
    masks = [cv2.resize((each - each.min()) / np.ptp(each), size, interpolation=cv2.INTER_LINEAR) for each in kept]
    logits = read(picture * np.stack(masks)[..., np.newaxis])[1].numpy()[:, 0]
    weights = np.exp(logits - logits.max())
    return _scaled(np.tensordot(weights, np.stack(kept), axes=1).clip(0), float(logit[0]))


def _smoothgrad(model: Any) -> Drawer:
    """SmoothGrad (Smilkov et al. 2017, arXiv:1706.03825): the mean size of the gradient over noisy copies of a film.

    The noise is the same for every film, so that a film's map is the same each time.
    """
    gradient = _compiled(_input_gradient, model)
    return lambda pictures: np.stack([_smoothgrad_of(picture, gradient) for picture in pictures])


def _smoothgrad_of(picture: np.ndarray, gradient: Callable[[np.ndarray], Any]) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal((SMOOTHGRAD_SAMPLES, *picture.shape), np.float32)
    noisy = picture + SMOOTHGRAD_NOISE * np.ptp(picture) * noise
    gradients, logits = gradient(np.concatenate([picture[np.newaxis], noisy]).astype(np.float32))
    mean = np.abs(gradients.numpy()[1:]).mean(axis=0)[..., 0]
    return _scaled(cv2.GaussianBlur(mean, (0, 0), SMOOTHGRAD_BLUR * len(mean)), float(logits[0, 0]))


def _scaled(heat: np.ndarray, logit: float) -> np.ndarray:
    peak = heat.max()
    scale = np.logaddexp(0, logit) / (peak * heat.size) if peak > 0 else 0.0
    return np.asarray(heat * scale, np.float32)


def _input_gradient(network: Any, pictures: Any) -> Any:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(pictures)
        logit = network(pictures, training=False)
    return tape.gradient(logit, pictures), logit


def _compiled(run: Callable[[Any, Any], Any], model: Any, *layers: str) -> Callable[[np.ndarray], Any]:
    """Compile a function of (network, pictures), the network a copy with a linear last unit.

    Args:
        run: the function.
        model: the network.
        layers: whose feature maps the copy returns ahead of the logit.
    """
    import keras
    import tensorflow as tf
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    ReplaceToLinear()(copy)
    outputs = [copy.get_layer(layer).output for layer in layers] + [copy.outputs[0]]
    network = keras.Model(copy.inputs, outputs if layers else outputs[0])
    given = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    return tf.function(lambda pictures: run(network, pictures), input_signature=[given])
