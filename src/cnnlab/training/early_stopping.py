"""Early stopping: a training ends once its selection metric has not improved for so many epochs."""


class EarlyStopping:
    """Counts the epochs since the best one.

    :param patience: how many may pass without a better one; None for as many as there are.
    """

    def __init__(self, patience: int | None) -> None:
        self.patience = patience
        self.waited = 0

    def after_epoch(self, is_best: bool) -> None:
        """Takes note of an epoch; where the metric is never a number, none is best, and the patience runs out."""
        self.waited = 0 if is_best else self.waited + 1

    @property
    def is_over(self) -> bool:
        """Whether the patience is out."""
        return self.patience is not None and self.waited >= self.patience
