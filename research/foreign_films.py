"""Foreign films: what withholding the answer on films of unknown hospitals is worth, and by which distance.

``python -m research.foreign_films RUN… --data DIR --hospitals DIR`` takes the folders of model folders of runs that
each left a hospital out (`pneumo train NAME --hospitals DIR --leave-out HOSPITAL`), and prints a table a run: for each
rule how many of the films of the hospital left out still get an answer, and how many of these answers are wrong. The
limit of every rule lets 95 % of the validation films at home pass; nothing is chosen at the hospital left out. With
``--name everywhere`` or ``ensemble`` the one rule is what the network says of that itself.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import pandas as pd
import typer

from pneumo.cli import output
from pneumo.cli.output import DataOption, load_keras, reports_errors, required
from pneumo.datasets import hospitals, kaggle
from pneumo.errors import DatasetError
from pneumo.evaluation.calibration import Thresholds, logit
from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION, ModelCard
from pneumo.results import markdown_tables

if TYPE_CHECKING:
    import keras

    from pneumo.training.films import Films

NAME = "everywhere_film"
LAYERS = ("block_3_expand_relu", "block_6_expand_relu", "block_10_expand_relu", "block_14_add")
NEIGHBOURS = 10
COVERAGES = (0.02, 0.05, 0.1, 0.2, 0.4)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True, eq=False)
class Rule:
    """A way to tell films that get no answer: by how far they are, the farthest first.

    Attributes:
        title: for people.
        at_home: (films,) how far each validation film is.
        away: (films,) the same of the films of the hospital left out.
    """

    title: str
    at_home: np.ndarray
    away: np.ndarray


def table(rules: list[Rule], decided: np.ndarray, wrong: np.ndarray, kept: float) -> pd.DataFrame:
    """Return coverage and risk of each rule at a hospital that was left out (Geifman and El-Yaniv 2017).

    Args:
        rules: to be compared.
        decided: (films,) bool, which films there get an answer without a rule.
        wrong: (films,) bool, which of them get a wrong one.
        kept: the share of validation films that a limit lets pass, 0…1.

    Returns:
        One row a rule: at the limit the share of films that stay, that are decided, and the wrong ones of these; then
        the share of wrong answers where only the nearest films are decided, by the share of all films that they are;
        a dash where that is no choice of the rule.
    """
    rows = [_row("no rule", np.ones_like(decided), decided, wrong)]
    for rule in rules:
        stay = rule.away <= np.quantile(rule.at_home, kept)
        row = _row(rule.title, stay, decided, wrong)
        nearest = np.flatnonzero(decided)[np.argsort(rule.away[decided], kind="stable")]
        for coverage in COVERAGES:
            count = round(coverage * len(decided))
            # Of films that are as far as each other none is nearer.
            is_cut = (
                0 < count <= len(nearest) and not np.isin(rule.away[nearest[count:]], rule.away[nearest[:count]]).any()
            )
            risk = f"{wrong[nearest[:count]].mean():.2f}" if is_cut else "–"
            row[f"risk at {coverage:.0%}"] = risk
        rows.append(row)
    return pd.DataFrame(rows).fillna("–")


def _row(title: str, stay: np.ndarray, decided: np.ndarray, wrong: np.ndarray) -> dict[str, str]:
    answered = stay & decided
    return {
        "Rule": title,
        "Not foreign": f"{stay.mean():.3f}",
        "Decided": f"{answered.mean():.3f}",
        "Wrong of the decided": f"{wrong[answered].sum()} of {answered.sum()}",
    }


def nearest_neighbours(known: np.ndarray, films: np.ndarray, count: int = NEIGHBOURS) -> np.ndarray:
    """Return the cosine distance of films to the `count`-th nearest known one (Sun et al. 2022, arXiv:2204.06507).

    Args:
        known: (known films, features).
        films: (films, features), none of which is known.
        count: which neighbour counts.
    """
    first, second = (each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-9) for each in (films, known))
    return 1 - np.partition(first @ second.T, -count, axis=1)[:, -count]


def rules_of(
    model: "keras.Model", card: ModelCard, learned: "Films", validation: "Films", away: "Films"
) -> Iterator[Rule]:
    """Yield the rules that are compared.

    Args:
        model: of MobileNetV2.
        card: of the model.
        learned: the films that it learned from, with `Films.hospitals`.
        validation: of home.
        away: of the hospital left out.
    """
    import keras

    from pneumo.training import foreign, loop

    for layer in LAYERS:
        known = foreign.describe(model, learned, validation, layer=layer)
        network = foreign.features_network(model, layer)
        away_and_home = (known.distance(foreign.features_of(network, films, False)) for films in (validation, away))
        yield Rule(f"Mahalanobis, {layer}", *away_and_home)
    embedding = keras.Model(model.inputs, keras.ops.mean(model.get_layer(card.cam_layer or "").output, axis=(1, 2)))
    vectors = [foreign.features_of(embedding, films, False) for films in (learned, validation, away)]
    neighbours = (nearest_neighbours(vectors[0], films) for films in vectors[1:])
    yield Rule(f"k-NN of the embedding, k = {NEIGHBOURS}", *neighbours)
    scores = [np.abs(logit(loop.predict(model, films))) for films in (validation, away)]
    yield Rule("energy", *(-np.logaddexp(0, score) for score in scores))
    probabilities = (card.as_calibration().apply(loop.predict(model, films)) for films in (validation, away))
    yield Rule("wider “cannot say”", *(-np.abs(logit(probability)) for probability in probabilities))


def told_by_network(model: "keras.Model", validation: "Films", away: "Films") -> Iterator[Rule]:
    """Yield the one rule of a network that tells foreign films itself, see `pneumo.networks.ensemble.build`."""
    import keras

    from pneumo.training import loop

    network = keras.Model(model.inputs, model.outputs[1])
    yield Rule("the network’s own", *(loop.predict(network, films) for films in (validation, away)))


def study(run: Path, root: Path, folders: list[Path], name: str = NAME) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each hospital that a run left out, and its `table`.

    Raises:
        DatasetError: if the run left none out.
    """
    from pneumo.training import films, foreign, loop

    card, model = store.load(name, run, CLASSIFICATION)
    left_out = card.training.get("hospitals", {}).get("left_out")
    if not left_out:
        raise DatasetError(f"The model in {run} left no hospital out. Train one with --leave-out.")
    listed = kaggle.scan(root)
    parts = kaggle.development_split(listed, card.training["fold"])
    others = hospitals.read(folders, listed)
    crop_names = card.input["views"]
    seen = (films.silent, crop_names, films.segmenter_for(crop_names, None))
    validation = films.load_films(root, parts.validation, *seen)
    rules_at = partial(told_by_network, model, validation)
    if not card.tells_foreign_films:
        home = parts.train.assign(hospital=hospitals.HOME)
        learned = pd.concat([home, others.to_learn_from(left_out)], ignore_index=True)
        known = films.load_films(root, learned, *seen)
        known = dataclasses.replace(known, hospitals=learned["hospital"].to_numpy(str))
        rules_at = partial(rules_of, model, card, known, validation)
    for hospital in left_out:
        away = films.load_films(root, others.of_both_classes(hospital), *seen)
        probability = card.as_calibration().apply(loop.predict(model, away))
        decided, wrong = answers(probability, away.labels, card.as_thresholds())
        rules = list(rules_at(away))
        yield f"{hospital}, {len(away.files)} films", table(rules, decided, wrong, foreign.KEPT)


def answers(probability: np.ndarray, labels: np.ndarray, limits: Thresholds) -> tuple[np.ndarray, np.ndarray]:
    """Return which films get an answer and which a wrong one, both (films,) bool."""
    likely, unlikely = probability >= limits.high, probability < limits.low
    return likely | unlikely, (likely & (labels == 0)) | (unlikely & (labels == 1))


@app.command()
@reports_errors
def main(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of model folders, each of a run that left hospitals out.")
    ],
    hospital_folders: Annotated[list[Path], typer.Option("--hospitals", help="Folders with labels.csv.")],
    data: DataOption = None,
    name: Annotated[str, typer.Option(help="Of the model in each run.")] = NAME,
) -> None:
    """Print risk and coverage of films at hospitals that were left out, by rule."""
    root = kaggle.find_root(required(data))
    load_keras()
    for run in runs:
        for title, compared in study(run, root, hospital_folders, name):
            output.say(f"{run}: {title}")
            print(f"{title}\n\n{markdown_tables.table(compared)}\n")


if __name__ == "__main__":
    app()
