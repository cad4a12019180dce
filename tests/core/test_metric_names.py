import pytest

from cnnlab.core import metric_names


@pytest.mark.parametrize(
    ("metric", "unit", "better"),
    [
        ("loss", "loss", "lower"),
        ("test_hour_loss", "loss", "lower"),
        ("validation_top5_accuracy", "share", "higher"),
        ("macro_f1", "share", "higher"),
        ("validation.recall", "share", "higher"),
        ("roc_auc", "share", "higher"),
        ("test_clock_within_10", "share", "higher"),
        ("within_1", "share", "higher"),
        ("test_clock_mean_error", "minutes", "lower"),
        ("clock_median_error", "minutes", "lower"),
        ("mean_absolute_error", "number", "lower"),
        ("r2", "number", "higher"),
        ("learning_rate_end", "number", "higher"),
    ],
)
def test_a_name_tells_unit_and_direction(metric: str, unit: str, better: str) -> None:
    assert (metric_names.unit(metric), metric_names.better(metric)) == (unit, better)
