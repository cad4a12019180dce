"""What is found out about an ensemble, as plain numbers that are stored with it."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
MaybeNumber: TypeAlias = Number | None
Matrix: TypeAlias = tuple[tuple[MaybeNumber, ...], ...]
MEASURES = ("disagreement", "q", "double_fault", "correlation")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Judged(_Strict):
    """How good a member is, or the ensemble.

    :param scores: by split, the metric that they are judged by.
    :param losses: by split, the loss of the objective.
    :param intervals: by split, both ends of the 95% interval of the score over pictures, where it has one.
    """

    name: str
    scores: dict[str, MaybeNumber]
    losses: dict[str, MaybeNumber]
    intervals: dict[str, tuple[Number, Number]] = {}


class AgainstMember(_Strict):
    """The ensemble against one member on the same pictures.

    :param member: its place among the members; ``why`` says how it was chosen, never by the split compared on.
    :param difference: of the metric, ensemble minus member; with its interval and test where they are of classes.
    """

    member: int
    why: str
    split: str
    difference: Number
    low: MaybeNumber = None
    high: MaybeNumber = None
    p: MaybeNumber = None
    sentence: str


class Diversity(_Strict):
    """How the mistakes of members differ, by pairs.

    Kuncheva and Whitaker, Measures of diversity in classifier ensembles (2003), from how many pictures both, one or
    none of two members are right about. Of numbers there is the correlation of errors alone.

    :param disagreement: the share of pictures that exactly one of the two is right about.
    :param q: Yule's Q statistic, from -1 to 1; 0 for independent members.
    :param double_fault: the share that both are wrong about.
    :param correlation: of their errors: Pearson's, of right and wrong as numbers, or of how far numbers are off.
    :param means: of each over the pairs.
    """

    split: str
    disagreement: Matrix | None = None
    q: Matrix | None = None
    double_fault: Matrix | None = None
    correlation: Matrix | None = None
    means: dict[str, MaybeNumber]

    def matrix(self, measure: str) -> Sequence[Sequence[float | None]] | None:
        """One of :data:`MEASURES`, M×M; the diagonal holds nothing."""
        found: Matrix | None = getattr(self, measure)
        return found


class SizePoint(_Strict):
    """What ensembles of so many members reach: the mean over which members are taken, and 90% of them.

    :param subsets: how many choices of members it is taken over.
    """

    size: int
    mean: Number
    low: Number
    high: Number
    subsets: int


class LeftOut(_Strict):
    """The ensemble without one member.

    :param worth: of the metric, with it minus without it, turned so that more is better.
    """

    member: int
    score: Number
    worth: Number
    low: MaybeNumber = None
    high: MaybeNumber = None


class Calibrated(_Strict):
    """Whether a member, or the ensemble, is right as often as it says.

    :param error: expected calibration error; ``loss`` the log loss, in nats.
    :param temperature: fitted on validation, with what error and loss come to by it.
    """

    name: str
    error: Number
    loss: Number
    temperature: MaybeNumber = None
    error_after: MaybeNumber = None
    loss_after: MaybeNumber = None


class Gain(_Strict):
    """What fitting has gained over equal weights, turned so that more is better."""

    split: str
    score: Number
    loss: Number
    is_held_out: bool


class Analysis(_Strict):
    """All of it.

    :param split: that it is about where nothing else is said: test, or validation where there is no test.
    :param metric: by which all are judged.
    :param sizes: of the mean of members, whatever the method is.
    :param left_out: by the method's own numbers; ``is_refitted`` where it was fitted again on the others.
    :param gains: on validation and on test; the first less the second is the optimism of what was fitted.
    """

    split: str
    metric: str
    better: Literal["higher", "lower"]
    members: tuple[Judged, ...]
    ensemble: Judged
    against: AgainstMember | None = None
    diversity: Diversity | None = None
    sizes: tuple[SizePoint, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    is_refitted: bool = False
    calibrated: tuple[Calibrated, ...] = ()
    gains: tuple[Gain, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> "Analysis":
        count = len(self.members)
        places = [one.member for one in self.left_out] + ([] if self.against is None else [self.against.member])
        matrices = [] if self.diversity is None else [self.diversity.matrix(name) for name in MEASURES]
        sizes = [len(rows) for matrix in matrices if matrix is not None for rows in (matrix, *matrix)]
        if any(not 0 <= place < count for place in places) or any(size != count for size in sizes):
            raise ValueError("it speaks of members that there are not")
        return self
