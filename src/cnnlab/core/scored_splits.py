"""The split that a score is of, and what it is called in the name of a metric: ``test_accuracy``."""

OUT_OF_FOLD = "train@out-of-fold"
"""The split of what networks of folds say of training pictures that they had not seen."""
_IN_NAMES = {OUT_OF_FOLD: "out_of_fold"}


def score_name(split: str, metric: str) -> str:
    """``test_accuracy`` of test and accuracy, and of what is out of fold ``out_of_fold_accuracy``."""
    return f"{_IN_NAMES.get(split, split)}_{metric}"


def read_score_name(name: str) -> tuple[str, str]:
    """The split and the metric of such a name; of a name that has none the whole as the split."""
    for split, words in _IN_NAMES.items():
        if name.startswith(f"{words}_"):
            return split, name.removeprefix(f"{words}_")
    split, _, metric = name.partition("_")
    return split, metric
