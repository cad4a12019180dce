"""Searches: what they go through, what they find, and that they look at nothing but the training part."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, PredefinedSplit

from cnnlab.core.errors import SpecError, UsageError
from cnnlab.objectives import Classes
from cnnlab.transfer.classifiers import EIGHT, PROBE, classifiers, probe_candidates, read_classifiers
from cnnlab.transfer.fitting import fit
from cnnlab.transfer.request import listed
from cnnlab.transfer.search import KEPT, CrossValidation, fold_places, read_grids
from cnnlab.transfer.training_part import TrainingPart

X, Y = load_digits(return_X_y=True)
X = X[:200].astype(np.float32)
Y = Y[:200]
OBJECTIVE = Classes("label", tuple("0123456789"))


def test_a_grid_is_every_combination_of_its_lists() -> None:
    (grid,) = read_grids(listed("search", "svc(C=[1, 10, 100], kernel=[rbf, linear], scaling=unit)"))
    settings = [(call.arguments["C"], call.arguments["kernel"]) for call in grid.candidates]
    assert settings == [(c, kernel) for c in (1, 10, 100) for kernel in ("rbf", "linear")]
    assert {call.arguments["scaling"] for call in grid.candidates} == {"unit"}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("svc", "something to search over"),
        ("svc(C=3)", "something to search over"),
        ("svc(C=[])", "lists no value"),
        ("svc(D=[1, 2])", "has no argument 'D'"),
        ("svc(C=[1, 0])", "C of classifier svc takes a number above 0"),
        ("nothing(C=[1, 2])", "there is no classifier called 'nothing'"),
        ("knn(n_neighbors=[1, 2], metric=[far])", "metric of classifier knn takes"),
    ],
)
def test_a_search_that_cannot_be_meant_is_refused(spec: str, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        read_grids(listed("search", spec))


def test_one_search_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="twice"):
        read_grids(listed("search", "svc(C=[1, 2]), svc(C=[1, 2])"))


def test_a_candidate_is_told_by_all_that_was_searched_over() -> None:
    (grid,) = read_grids(listed("search", "svc(kernel=[rbf, linear], C=[1, 10], degree=[3], gamma=auto)"))
    found = CrossValidation("accuracy", folds=2).search(grid.candidates, TrainingPart(X, Y), OBJECTIVE, 0, "x")
    told = [f"svc(C={c}, kernel={kernel}, gamma=auto)" for kernel in ("rbf", "linear") for c in (1, 10)]
    # 10 and rbf are the defaults; the degree is one and the same.
    assert [each.classifier.replace(".0", "") for each in found.judged] == told
    assert found.name.replace(".0", "") in told and str(found.best.showing(["C", "kernel"])) == found.name


@pytest.mark.parametrize("folds", [2, 5])
def test_folds_are_of_one_size_and_hold_every_class(folds: int) -> None:
    places = fold_places(Y, folds, seed=3)
    sizes = np.bincount(places)
    assert len(sizes) == folds and sizes.max() - sizes.min() <= 1
    for label in range(10):
        inside = np.bincount(places[label == Y], minlength=folds)
        assert inside.max() - inside.min() <= 1
    assert not np.array_equal(places, fold_places(Y, folds, seed=4))


def test_what_is_found_is_what_scikit_learns_own_search_finds() -> None:
    values = [1e-4, 1e-2, 1.0]
    (grid,) = read_grids([f"logistic-regression(C=[{', '.join(map(str, values))}])"])
    found = CrossValidation("accuracy", folds=4).search(grid.candidates, TrainingPart(X, Y), OBJECTIVE, 0, "x")
    pipeline = classifiers.bind("logistic-regression").build(seed=0)
    oracle = GridSearchCV(pipeline, {"model__C": values}, cv=PredefinedSplit(fold_places(Y, 4, 0))).fit(X, Y)
    assert found.best.arguments["C"] == oracle.best_params_["model__C"]
    # Its means count every fold alike; of 200 pictures each of four folds has 50.
    assert [each.mean for each in found.judged] == pytest.approx(oracle.cv_results_["mean_test_score"], abs=1e-6)
    # Its deviation divides by the number of folds.
    spread = oracle.cv_results_["std_test_score"] * (4 / 3) ** 0.5
    assert [each.deviation for each in found.judged] == pytest.approx(spread, abs=1e-6)
    assert all(each.seconds > 0 and each.pictures == 200 for each in found.judged)


def test_a_subsample_is_looked_at_first_and_the_best_few_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    judged = CrossValidation._judged

    def noted(self: CrossValidation, candidates: list[object], train: TrainingPart, *rest: object) -> object:
        seen.append((len(candidates), len(train)))
        return judged(self, candidates, train, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(CrossValidation, "_judged", noted)
    (grid,) = read_grids(["knn(n_neighbors=[1, 2, 3, 4, 5])"])
    found = CrossValidation("accuracy", 3, subsample=0.5).search(grid.candidates, TrainingPart(X, Y), OBJECTIVE, 0, "x")
    assert seen == [(5, 100), (KEPT, 200)] and [each.pictures for each in found.judged] == [100] * 5 + [200] * KEPT
    on_some, on_all = found.judged[:5], found.judged[5:]
    best = sorted(on_some, key=lambda each: -each.mean)[:KEPT]
    assert {each.classifier for each in on_all} == {each.classifier for each in best}
    assert max(on_all, key=lambda each: each.mean).classifier == found.name
    with pytest.raises(UsageError, match="too few for 3 folds"):
        CrossValidation("accuracy", 3, subsample=4).search(grid.candidates, TrainingPart(X, Y), OBJECTIVE, 0, "x")


def test_all_are_the_eight_and_the_probe() -> None:
    assert [call.name for call in read_classifiers("all")] == [*EIGHT, PROBE]
    with pytest.raises(UsageError, match="knn twice"):
        read_classifiers(["all", "knn"])


def test_a_probe_is_chosen_among_seven_unless_it_has_a_penalty() -> None:
    assert len(probe_candidates(classifiers.bind(PROBE))) == 7
    assert len(probe_candidates(classifiers.bind(f"{PROBE}(C=1)"))) == 1
    assert len(probe_candidates(classifiers.bind("svc"))) == 1


def test_more_neighbours_than_pictures_are_refused() -> None:
    with pytest.raises(UsageError, match="asks for 201 neighbours, and it is fitted to 200 training pictures"):
        fit(classifiers.bind("knn(n_neighbors=201)"), X, Y, 0)


def test_an_argument_that_a_classifier_has_not_is_refused_with_those_it_has() -> None:
    with pytest.raises(SpecError, match=r"classifier svc has no argument 'gama'\. Did you mean gamma"):
        read_classifiers(listed("classifiers", "svc(gama=2)"))


def test_pictures_of_one_class_are_refused() -> None:
    with pytest.raises(UsageError, match="all of one"):
        fit(classifiers.bind("knn"), X[Y == 1], Y[Y == 1], 0)


def test_names_of_scikit_learn_are_known() -> None:
    assert [call.name for call in read_classifiers(["SVC", "KNeighborsClassifier(n_neighbors=3)"])] == ["svc", "knn"]
