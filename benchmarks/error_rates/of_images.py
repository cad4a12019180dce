"""Two sources of chance, trainings and images: what is said of these images, and of new ones like them."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats
from simulation import Array, Generator, Simulation

from cnnlab.evaluation import CrossedIntervals, ImageScores, Interval, crossed_difference, crossed_intervals, wilson
from cnnlab.evaluation.metrics.auc_interval import auc_parts

HARDNESS = 2.0
"""Standard deviation between images of what makes them hard for all trainings; a training's own is 1."""
SHAPES = ((360, 0.97), (2000, 0.94))


@dataclass(frozen=True)
class Recipes:
    """Recipes that are trained several times and scored on the same images.

    :param accuracies: of each, over all images and trainings there might be.
    :param luck: standard deviation between trainings; 0.1 is 0.5 to 0.9 points of accuracy.
    :param own: between images, of what is hard for one recipe alone.
    """

    accuracies: tuple[float, ...]
    images: int
    luck: float
    own: float = 1.0

    def trained(self, generator: Generator, repeats: int) -> list[Array]:
        """For each, trainings × images: whether each was right."""
        hard, scores = generator.normal(0, HARDNESS, (1, self.images)), []
        for accuracy in self.accuracies:
            own, good = generator.normal(0, self.own, (1, self.images)), generator.normal(0, self.luck, (repeats, 1))
            threshold = stats.norm.ppf(accuracy) * math.sqrt(1 + HARDNESS**2 + self.own**2 + self.luck**2)
            noise = generator.normal(0, 1, (repeats, self.images))
            scores.append((threshold + hard + own + good + noise > 0).astype(float))
        return scores


def accuracies(simulation: Simulation) -> None:
    """Of one recipe, over repeats; and of one training, taken for its recipe's."""
    for repeats in (2, 3, 5, 10):
        for images, accuracy in SHAPES:
            for luck in (0.0, 0.1, 0.3):
                recipe = Recipes((accuracy,), images, luck, own=0)
                simulation.share(
                    "recipes on new images, coverage",
                    f"{repeats} repeats, {images} images, accuracy {accuracy}, seeds {luck}",
                    "at least 93%",
                    400,
                    lambda g, r=recipe, b=repeats: r.accuracies[0] in crossed_intervals(r.trained(g, b)[0]).new_images,
                )
    for luck in (0.0, 0.1, 0.3):
        recipe = Recipes((0.94,), 2000, luck, own=0)
        simulation.share(
            "one training's Wilson interval taken for its recipe's",
            f"2000 images, accuracy 0.94, seeds {luck}",
            "not held",
            1000,
            lambda g, r=recipe: 0.94 in (wilson(int(r.trained(g, 1)[0].sum()), 2000) or Interval(1, 1)),
        )


def differences(simulation: Simulation) -> None:
    """Of two recipes, one of them better by a point."""
    for repeats in (2, 3, 5, 10):
        for images, accuracy in SHAPES:
            for luck in (0.0, 0.1, 0.3):
                recipes = Recipes((accuracy, accuracy - 0.01), images, luck)
                name = f"{repeats} repeats, {images} images, accuracy {accuracy}, seeds {luck}"
                simulation.share(
                    "differences on new images, coverage",
                    name,
                    "at least 93%",
                    400,
                    lambda g, r=recipes, b=repeats: 0.01 in difference(g, r, b).new_images,
                )
                if luck < 0.3 and repeats > 2:
                    simulation.share(
                        "differences on these images, taken for those on new ones",
                        name,
                        "not held",
                        400,
                        lambda g, r=recipes, b=repeats: 0.01 in difference(g, r, b).these_images,
                    )
    for repeats in (2, 3, 10):
        recipes = Recipes((0.94, 0.93), 2000, 0.1)
        simulation.share(
            "the interval for new images narrower than that for these, or beside it",
            f"{repeats} repeats, of a mean or a difference",
            "never",
            400,
            lambda g, r=recipes, b=repeats: not is_contained(difference(g, r, b)) or not is_contained(mean(g, r, b)),
        )


def difference(generator: Generator, recipes: Recipes, repeats: int) -> CrossedIntervals:
    """Of the first recipe from the second."""
    first, second = recipes.trained(generator, repeats)
    return crossed_difference(first, second)


def mean(generator: Generator, recipes: Recipes, repeats: int) -> CrossedIntervals:
    """Of the first recipe."""
    return crossed_intervals(recipes.trained(generator, repeats)[0])


def is_contained(found: CrossedIntervals) -> bool:
    """Whether the interval for new images contains the other."""
    return found.new_images.low <= found.these_images.low and found.these_images.high <= found.new_images.high


def areas(simulation: Simulation) -> None:
    """Areas under the ROC curve over repeats, on new images: scores that images, trainings and both add to."""
    for repeats in (2, 3, 5):
        for own, others in ((36, 323), (200, 200)):
            for luck in (0.0, 0.1):
                simulation.share(
                    "area under the ROC over repeats, on new images, coverage",
                    f"{repeats} repeats, {own} images of the class and {others} others, area about 0.9, seeds {luck}",
                    "at least 93%",
                    400,
                    lambda g, b=repeats, m=own, n=others, s=luck: area_is_covered(g, b, m, n, s),
                )


def area_is_covered(generator: Generator, repeats: int, own: int, others: int, luck: float) -> bool:
    """Trainings set the class apart by 1.8 on average, in standard deviations of the images; the area follows."""
    is_own = np.arange(own + others) < own
    images = generator.normal(0, math.sqrt(0.7), len(is_own))
    apart = generator.normal(1.8, luck, repeats)
    scores = images + generator.normal(0, math.sqrt(0.3), (repeats, len(is_own))) + apart[:, None] * is_own
    found = [auc_parts(row, is_own) for row in scores]
    parts = ImageScores("area", np.stack([one.parts for one in found]), found[0].pairs)
    truth = float(stats.norm.cdf(1.8 / math.sqrt(2 + luck**2)))
    return truth in over_repeats(parts, np.array([one.auc for one in found]))


def over_repeats(parts: ImageScores, values: Array) -> Interval:
    """The interval on new images from Student's over these values."""
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    middle = float(values.mean())
    these = Interval(middle - half, middle + half).within(0, 1)
    return parts.on_new_images(these, middle)


PARTS = (accuracies, differences, areas)
