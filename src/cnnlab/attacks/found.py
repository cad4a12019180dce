"""What an attack has found so far, picture by picture."""

import torch
from torch import Tensor

from cnnlab.attacks.problem import Problem


class Found:
    """The best for each picture of a problem: what fools the model rounded too, or as computed, or else is nearest.

    :param pixels: N×C×H×W; the originals where nothing was told yet.
    :param fooled: N, on the host, whether they fool the model rounded to 8 bits too.
    """

    def __init__(self, problem: Problem) -> None:
        self.pixels = problem.pixels.clone()
        self.fooled = torch.zeros(len(problem), dtype=torch.bool)
        self._nearly = self.fooled.clone()
        self._margins = torch.full((len(problem),), -torch.inf)

    @property
    def left(self) -> Tensor:
        """The places of the pictures that do not fool the model yet, on the host."""
        return (~self.fooled).nonzero()[:, 0]

    def tell(self, rows: Tensor, part: Problem, pixels: Tensor, outputs: Tensor | None = None) -> Tensor:
        """Keeps those pictures that fool the model; which do rounded too, on the host.

        :param rows: their places, on the host; ``part`` the problem of just these.
        :param outputs: what the model says of them, where that is known.
        """
        outputs = part.outputs(pixels) if outputs is None else outputs
        nearly, done = part.is_fooled(outputs).cpu(), part.fooled(pixels, outputs).cpu()
        if nearly.any():
            self.pixels[rows[nearly]] = pixels[nearly]
            self._nearly[rows[nearly]] = True
            self.fooled[rows[done]] = True
        return done

    def settle(self, rows: Tensor, pixels: Tensor, margins: Tensor) -> None:
        """Keeps what does not fool the model, of pictures of which nothing does, where it is nearer to it than before.

        :param margins: by how much the logit of what is wanted is above the others, N.
        """
        nearer = ~self._nearly[rows] & (margins.cpu() > self._margins[rows])
        self.pixels[rows[nearer]] = pixels[nearer]
        self._margins[rows[nearer]] = margins.cpu().to(self._margins.dtype)[nearer]
