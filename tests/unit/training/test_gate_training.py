import numpy as np
import pytest
from toy import synthetic

from pneumo.inference.findings import Quality
from pneumo.inference.gate import GateNetwork, GateOutput
from pneumo.inference.lungs import LungMask
from pneumo.inference.lungs import of_probability as lungs_of
from pneumo.model_store import weights
from pneumo.networks import gate_network
from pneumo.preprocessing import crops, network_input
from pneumo.preprocessing.outlines import Layout
from pneumo.training import gate


def novelty(embeddings, head):
    kernel, bias = head
    return np.sqrt(((embeddings @ kernel + bias) ** 2).sum(axis=1))


def test_novelty_is_small_on_what_was_shown_and_grows_with_the_distance():
    rng = np.random.default_rng(0)
    shown = rng.normal(3, 1, (600, 40)) * np.linspace(1, 3, 40)
    head = gate.fit_deviation(shown, np.ones(600))

    own = novelty(shown, head)
    near, far = (novelty(shown + shift, head).mean() for shift in (4, 40))

    assert np.sqrt((own**2).mean()) == pytest.approx(np.sqrt(2), rel=0.02)
    assert own.max() < near < far / 5


def test_films_of_other_hospitals_widen_the_idea_of_a_chest_film():
    rng = np.random.default_rng(1)
    home, away = rng.normal(0, 1, (400, 30)), rng.normal(0, 1, (40, 30)) + 3 * np.eye(30)[0]
    alone = gate.fit_deviation(home, np.ones(400))
    both = gate.fit_deviation(np.concatenate([home, away]), np.concatenate([np.ones(400), np.full(40, 4.0)]))

    assert novelty(away, both).mean() < novelty(away, alone).mean()


def test_a_picture_is_shown_in_sixteen_orientations_that_can_be_undone():
    square = np.arange(16, dtype=np.float32).reshape(4, 4) / 15
    seen = list(gate.orientations(square))

    assert len(seen) == 16 == 2 * len({(turned, inverted) for _, turned, inverted in seen})
    for place, (picture, turned, inverted) in enumerate(seen):
        undone = np.rot90(1 - picture if inverted else picture, -turned)
        np.testing.assert_allclose(undone if place < 8 else undone[:, ::-1], square, atol=1e-6)


def test_the_orientation_heads_learn_what_the_features_tell():
    rng = np.random.default_rng(2)
    truth = np.column_stack([rng.integers(0, 4, 800), rng.integers(0, 2, 800)])
    told = np.concatenate([np.eye(4)[truth[:, 0]], truth[:, 1:]], axis=1)
    grids = np.concatenate([told, rng.normal(0, 0.1, (800, 11))], axis=1) + rng.normal(0, 0.05, (800, 16))

    turned, inverted = gate.fit_orientation(grids, truth)

    assert ((grids @ turned[0] + turned[1]).argmax(axis=1) == truth[:, 0]).mean() > 0.99
    assert (((grids @ inverted[0] + inverted[1])[:, 0] > 0) == truth[:, 1]).mean() > 0.99


def with_heart(rng, middle=0.55):
    """Draw lungs of chance brightness, a heart between them, and the box of the lungs."""
    row, column = np.mgrid[:224, :224] / 224
    heart = ((row - 0.65) / 0.2) ** 2 + ((column - middle) / 0.12) ** 2 < 1
    picture = np.where(synthetic.lung_mask(224, 224), rng.uniform(0.1, 0.4), 0.7)
    picture = np.where(heart, 0.8, picture) + rng.normal(0, 0.03, (224, 224))
    return np.rint(picture.clip(0, 1) * 255).astype(np.uint8), (0.15, 0.17, 0.85, 0.83)


def test_a_mirrored_film_is_told_by_the_side_of_the_heart_even_beside_a_white_lung():
    rng = np.random.default_rng(6)
    films = [with_heart(rng) for _ in range(40)]
    kernel = gate.fit_heart(np.stack([film for film, _ in films]), [box for _, box in films], rng)

    def logit(square, box):
        lungs = crops.cropped(square / np.float32(255), (crops.LUNGS,), box)
        small = network_input.model_input(lungs, gate_network.LUNGS_SIZE)[np.newaxis]
        return (gate_network.asymmetry().predict_on_batch(small) @ kernel).item()

    film, box = with_heart(rng)
    consolidated = film.copy()
    consolidated[60:180, 40:100] = 200
    assert logit(film, box) < 0
    assert logit(consolidated, box) < 0
    assert logit(film[:, ::-1], box) == pytest.approx(-logit(film, box), rel=1e-3)


def test_one_lung_turns_white_and_the_other_stays():
    rng = np.random.default_rng(7)
    for _ in range(20):
        opaque = gate.with_opaque_lung(np.tile(np.linspace(0, 0.5, 32, dtype=np.float32)[:, np.newaxis], 32), rng)
        changed = np.abs(opaque - np.linspace(0, 0.5, 32)[:, np.newaxis]).mean(axis=0)
        assert min(changed[:10].max(), changed[-10:].max()) < 0.02


def test_no_validation_film_lies_beyond_the_limits_that_it_chose():
    rng = np.random.default_rng(3)
    empty = np.zeros((224, 224), np.uint8)
    seen = [
        (GateOutput(novelty, np.array([0.97, 0.01, 0.01, 0.01]), 0.2, 0.1), LungMask(empty, empty, uncertainty))
        for novelty, uncertainty in rng.uniform(0.1, 0.9, (50, 2))
    ]
    qualities = [Quality(*values) for values in rng.uniform(0.4, 0.6, (50, 3))]

    layouts = [Layout(framing, seam) for framing, seam in rng.uniform(0, 0.7, (100, 2))]
    borders = np.zeros((50, 4, 2))
    borders[7, :2, 0] = 0.09, 0.06

    limits = gate.choose_limits(seen, seen, qualities, layouts, borders)

    assert limits.novelty == pytest.approx(max(view.novelty for view, _ in seen), abs=1e-4)
    assert limits.uncertainty > max(lungs.uncertainty for _, lungs in seen)
    assert (limits.turned, limits.inverted, limits.mirrored) == (0.5, 0.5, 0.5)
    assert limits.dark[1] < limits.dark[0] < 0.41 and 0.59 < limits.bright[0] < limits.bright[1] < 1
    assert limits.cut_off == (0.05,) * 4
    assert limits.framed == pytest.approx(1.25 * max(layout.framing for layout in layouts[:50]), abs=1e-4)
    assert limits.seam == pytest.approx(max(layout.seam for layout in layouts), abs=1e-4)
    assert limits.border == pytest.approx((0.099, 0.165, 0.02))


def test_the_network_carries_its_heads_through_the_file(tmp_path):
    rng = np.random.default_rng(4)
    encoder = gate_network.encoder(None, size=96)
    deviation, turned, inverted = (
        (rng.normal(0, 0.01, (n, m)).astype(np.float32), np.ones(m, np.float32))
        for n, m in ((320, 344), (2880, 4), (2880, 1))
    )
    sides = rng.normal(0, 0.01, (gate_network.LUNGS_SIZE**2 // 2, 1)).astype(np.float32)
    heads = gate_network.Heads(deviation, turned, sides, inverted)
    path = tmp_path / "gate" / "model.keras"
    weights.save(gate_network.build(encoder, heads), path)

    squares = rng.random((2, 224, 224), np.float32)
    network, lungs = GateNetwork(weights.load(path)), synthetic.lung_mask(224, 224).astype(np.float32)
    views = [network.read(square, lungs_of(lungs)) for square in squares]
    mirrored = network.read(squares[0][:, ::-1], lungs_of(lungs[:, ::-1]))

    embeddings, _ = gate.embed(encoder, iter(squares), 2)
    np.testing.assert_allclose([view.novelty for view in views], novelty(embeddings, heads.deviation), rtol=0.02)
    assert all(view.turned.sum() == pytest.approx(1, abs=1e-4) and 0 < view.mirrored < 1 for view in views)
    assert mirrored.mirrored == pytest.approx(1 - views[0].mirrored, abs=1e-3)
