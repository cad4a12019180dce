"""Early stopping: a training ends once its selection metric has not improved for so many epochs."""


class EarlyStopping:
    """Counts the epochs since the best one.

    :param patience: how many may pass without a better one; None for as many as there are.
    """

    def __init__(self, patience: int | None) -> None:
        self.patience = patience
        self.waited: int | None = None

    def after_epoch(self, is_best: bool) -> None:
        """Takes note of an epoch. Before a first best one there is nothing to wait for."""
        if is_best:
            self.waited = 0
        elif self.waited is not None:
            self.waited += 1

    @property
    def is_over(self) -> bool:
        """Whether the patience is out."""
        return self.patience is not None and self.waited is not None and self.waited >= self.patience
