"""The arithmetic of layers, for learners: sizes and costs with their formulas, and small matrices step by step.

>>> from cnnlab import arithmetic
>>> print(arithmetic.conv((128, 128, 32), filters=16, kernel=3, stride=2))
>>> print(arithmetic.convolve([[1, 2], [3, 4]], [[1, 1], [1, 1]], padding=1))

Pictures are height×width×channels here, as textbooks write them; everywhere else in cnnlab channels come first.
"""

from cnnlab.models.arithmetic.sizes import Answer, conv, dense, pool
from cnnlab.models.arithmetic.sliding import Slide, WindowStep, average_pool, convolve, max_pool

__all__ = [
    "Answer",
    "Slide",
    "WindowStep",
    "average_pool",
    "conv",
    "convolve",
    "dense",
    "max_pool",
    "pool",
]
