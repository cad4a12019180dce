"""What a network looks at and what it learned: attributions, filters, activations, embeddings, mistakes.

Arrays first: every function takes a model and pictures and gives plain arrays with what is needed to read them; figures
are drawn from these by ``cnnlab.reports``. Models are left exactly as they were found.
"""

from typing import TYPE_CHECKING

from cnnlab.core.lazy_imports import lazy_names

if TYPE_CHECKING:
    from cnnlab.explain.attribution import ATTRIBUTIONS as ATTRIBUTIONS
    from cnnlab.explain.attribution import Attribution as Attribution
    from cnnlab.explain.attribution import attribute as attribute
    from cnnlab.explain.cams import grad_cam as grad_cam
    from cnnlab.explain.gradients import saliency as saliency

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "attribution": ("ATTRIBUTIONS", "Attribution", "attribute"),
        "cams": ("grad_cam",),
        "gradients": ("saliency",),
    },
)
