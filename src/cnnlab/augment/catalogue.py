"""The names that an augmentation spec may use."""

from cnnlab.augment.operation import Operation
from cnnlab.core.registry import Registry

augmentations: Registry[Operation] = Registry("augmentation")
