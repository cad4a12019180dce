"""The classifiers of scikit-learn that are fitted to features, by name, each with the scaling that it wants."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from sklearn.base import BaseEstimator
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from cnnlab.core.arguments import Count, Fraction, NonNegative, Positive, Range
from cnnlab.core.errors import UsageError
from cnnlab.core.registry import BoundCall, Registry
from cnnlab.core.spec import Call

Scaling: TypeAlias = Literal["standard", "unit", "none"]
"""``standard`` brings each feature to mean 0 and deviation 1 over the training pictures, ``unit`` each picture to
length 1, ``none`` leaves features as they are."""
Depth: TypeAlias = Annotated[int, Range(1)] | None
Features: TypeAlias = Literal["sqrt", "log2"] | Fraction | None
_SCALERS: Mapping[str, type[BaseEstimator]] = {"standard": StandardScaler, "unit": Normalizer}
_ITERATIONS = 2000

classifiers: Registry[Pipeline] = Registry("classifier", given=("seed",))
"""Functions of the arguments of a spec, and of a seed, that make a pipeline of scikit-learn's which is to be fitted."""

EIGHT = ("knn", "decision-tree", "random-forest", "svc", "sgd", "logistic-regression", "gaussian-nb", "adaboost")
"""What ``classifiers=all`` stands for, besides the linear probe."""
PROBE = "linear-probe"


def _pipeline(scaling: Scaling, model: BaseEstimator) -> Pipeline:
    steps = [] if scaling == "none" else [("scale", _SCALERS[scaling]())]
    return Pipeline([*steps, ("model", model)])


@classifiers.register("knn", "KNeighborsClassifier")
def knn(
    seed: int,
    n_neighbors: Count = 5,
    weights: Literal["uniform", "distance"] = "uniform",
    metric: Literal["euclidean", "manhattan", "cosine"] = "euclidean",
    scaling: Scaling = "unit",
) -> Pipeline:
    """The classes of the nearest training pictures, which are all kept."""
    # Brute force: trees of places gain nothing with so many features, and are more to trust in a file.
    return _pipeline(scaling, KNeighborsClassifier(n_neighbors, weights=weights, metric=metric, algorithm="brute"))


@classifiers.register("decision-tree", "DecisionTreeClassifier")
def decision_tree(
    seed: int,
    max_depth: Depth = None,
    min_samples_leaf: Count = 1,
    criterion: Literal["gini", "entropy"] = "gini",
    scaling: Scaling = "none",
) -> Pipeline:
    """A tree of thresholds on single features."""
    model = DecisionTreeClassifier(
        max_depth=max_depth, min_samples_leaf=min_samples_leaf, criterion=criterion, random_state=seed
    )
    return _pipeline(scaling, model)


@classifiers.register("random-forest", "RandomForestClassifier")
def random_forest(
    seed: int,
    n_estimators: Count = 100,
    max_depth: Depth = None,
    min_samples_leaf: Count = 1,
    max_features: Features = "sqrt",
    scaling: Scaling = "none",
) -> Pipeline:
    """The mean over trees, each grown on a bootstrap and splitting by some of the features (Breiman 2001)."""
    model = RandomForestClassifier(
        n_estimators,
        max_depth=max_depth,
        min_samples_leaf=min_samples_leaf,
        max_features=1.0 if max_features is None else max_features,
        random_state=seed,
    )
    return _pipeline(scaling, model)


@classifiers.register("svc", "SVC")
def svc(
    seed: int,
    C: Positive = 10.0,  # noqa: N803 (as scikit-learn has it)
    kernel: Literal["rbf", "linear", "poly", "sigmoid"] = "rbf",
    gamma: Literal["scale", "auto"] | Positive = "scale",
    degree: Count = 3,
    scaling: Scaling = "standard",
) -> Pipeline:
    """The support vector classifier (Cortes and Vapnik 1995)."""
    # Ties are broken by the decision values, so that the class predicted is the one of the largest.
    model = SVC(C=C, kernel=kernel, gamma=gamma, degree=degree, break_ties=True, random_state=seed)
    return _pipeline(scaling, model)


@classifiers.register("sgd", "SGDClassifier")
def sgd(
    seed: int,
    loss: Literal["hinge", "log_loss", "modified_huber", "squared_hinge"] = "hinge",
    alpha: Positive = 1e-2,
    penalty: Literal["l2", "l1", "elasticnet", "none"] = "l2",
    max_iter: Count = 1000,
    scaling: Scaling = "standard",
) -> Pipeline:
    """A linear classifier fitted picture by picture by stochastic gradient descent."""
    model = SGDClassifier(
        loss=loss, alpha=alpha, penalty=None if penalty == "none" else penalty, max_iter=max_iter, random_state=seed
    )
    return _pipeline(scaling, model)


@classifiers.register("logistic-regression", "LogisticRegression")
def logistic_regression(
    seed: int,
    C: Positive = 0.01,  # noqa: N803
    max_iter: Count = _ITERATIONS,
    scaling: Scaling = "standard",
) -> Pipeline:
    """A linear classifier by the cross-entropy, with the squares of its weights as the penalty."""
    return _pipeline(scaling, LogisticRegression(C=C, max_iter=max_iter))


@classifiers.register("gaussian-nb", "GaussianNB")
def gaussian_nb(seed: int, var_smoothing: NonNegative = 1e-9, scaling: Scaling = "none") -> Pipeline:
    """Naive Bayes: each feature of each class a normal distribution of its own."""
    return _pipeline(scaling, GaussianNB(var_smoothing=var_smoothing))


@classifiers.register("adaboost", "AdaBoostClassifier")
def adaboost(
    seed: int,
    n_estimators: Count = 50,
    learning_rate: Positive = 1.0,
    max_depth: Count = 1,
    scaling: Scaling = "none",
) -> Pipeline:
    """Small trees, each grown on what those before got wrong (Freund and Schapire 1997)."""
    tree = DecisionTreeClassifier(max_depth=max_depth)
    model = AdaBoostClassifier(tree, n_estimators=n_estimators, learning_rate=learning_rate, random_state=seed)
    return _pipeline(scaling, model)


@classifiers.register(PROBE)
def linear_probe(
    seed: int,
    C: Positive | None = None,  # noqa: N803
    max_iter: Count = _ITERATIONS,
    scaling: Scaling = "standard",
) -> Pipeline:
    """A dense layer on the features, by the cross-entropy; without ``C`` its penalty is cross-validated.

    What a linear classifier reads off the features is how these are usually judged (Alain and Bengio 2016; Kornblith,
    Shlens and Le 2019). It is chosen among seven values of ``C`` from 0.0001 to 100 by the log loss on parts of train.
    """
    return _pipeline(scaling, LogisticRegression(C=1.0 if C is None else C, max_iter=max_iter))


def probe_candidates(bound: BoundCall[Pipeline]) -> list[BoundCall[Pipeline]]:
    """What a linear probe without a penalty of its own is chosen from; anything else as it is."""
    if bound.name != PROBE or bound.arguments["C"] is not None:
        return [bound]
    return [BoundCall(bound.entry, {**bound.arguments, "C": 10.0**power}) for power in range(-4, 3)]


def read_classifiers(given: object) -> list[BoundCall[Pipeline]]:
    """Classifiers by their specs; ``all`` are the eight and the linear probe.

    :raises UsageError: for a name or an argument that there is not, and for one that is named twice.
    """
    items = list(given) if isinstance(given, list | tuple) else [given]
    named = [item.name if isinstance(item, Call) and not item.args and not item.kwargs else item for item in items]
    bound: list[BoundCall[Pipeline]] = []
    for item in named:
        bound += [classifiers.bind(name) for name in (*EIGHT, PROBE)] if item == "all" else [classifiers.bind(item)]
    for place, each in enumerate(bound):
        if each in bound[:place] or str(each) in map(str, bound[:place]):
            raise UsageError(f"classifiers names {each.short} twice. Leave one of the two.")
    if not bound:
        raise UsageError(f"classifiers= names none. Take all, or some of {', '.join((*EIGHT, PROBE))}.")
    return bound
