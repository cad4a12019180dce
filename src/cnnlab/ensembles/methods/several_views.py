"""Test-time augmentation: one model asked about several views of each picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from cnnlab.augment import canonical_pipeline
from cnnlab.core.arguments import Range
from cnnlab.core.spec import Call
from cnnlab.ensembles.classifier import EnsembleClassifier
from cnnlab.ensembles.combinations import WeightedMean
from cnnlab.ensembles.member_outputs import MemberOutputs, side_by_side
from cnnlab.ensembles.methods.base import SPLITS, Asked, Made, Method, Surroundings, Views, methods
from cnnlab.ensembles.record import MOST_VIEWS
from cnnlab.ensembles.views import views_of
from cnnlab.evaluation import predictions_on
from cnnlab.runs import Run


@methods.register("tta")
@dataclass(frozen=True)
class TestTimeAugmentation(Method):
    """The mean of what one run says of several views of each picture, the picture as it is among them.

    Each view is one change, drawn once and done to every picture, so that a picture is told the same whatever stands
    beside it.

    :param pipeline: what is done to pictures, as for ``augment=``.
    :param views: how many, with the picture as it is.
    """

    __test__ = False
    least, most = 1, 1

    pipeline: str | Call
    views: Annotated[int, Range(2, MOST_VIEWS)] = 8
    seed: Annotated[int, Range(0)] = 0

    def make(self, runs: Sequence[Run], around: Surroundings) -> Made:
        """Every view of validation and test is predicted now."""
        (run,) = runs
        asked, spec = Asked(run), canonical_pipeline(self.pipeline)
        predictor, dataset = around.predictor(run), around.data(run)
        each = views_of(predictor.classifier, spec, self.views, self.seed)
        names = ["as it is", *(f"view {number}" for number in range(2, self.views + 1))]
        outputs: dict[str, MemberOutputs] = {}
        for split in SPLITS:
            if split in dict(dataset.parts()):
                said = [predictions_on(around.predictor(run, view), dataset, split) for view in each]
                outputs[split] = side_by_side(said, names)
        combination = WeightedMean(weights=(1.0,) * self.views)
        EnsembleClassifier(each, names, combination)
        predictions = {split: part.predictions(part.combined(combination)) for split, part in outputs.items()}
        return Made((asked,), predictions, outputs, combination, Views(spec, self.views, self.seed))
