"""What a network looks at and what it learned: attributions, filters, activations, embeddings, mistakes.

Arrays first: every function takes a model and pictures and gives plain arrays with what is needed to read them; figures
are drawn from these by ``cnnlab.reports``. Models are left exactly as they were found.
"""

from typing import TYPE_CHECKING

from cnnlab.core.lazy_imports import lazy_names

if TYPE_CHECKING:
    from cnnlab.explain.activation_maps import Activations as Activations
    from cnnlab.explain.activation_maps import activations as activations
    from cnnlab.explain.attribution import ATTRIBUTIONS as ATTRIBUTIONS
    from cnnlab.explain.attribution import Attribution as Attribution
    from cnnlab.explain.attribution import attribute as attribute
    from cnnlab.explain.cams import grad_cam as grad_cam
    from cnnlab.explain.filter_kernels import Filters as Filters
    from cnnlab.explain.filter_kernels import filter_responses as filter_responses
    from cnnlab.explain.filter_kernels import filters as filters
    from cnnlab.explain.gradients import saliency as saliency
    from cnnlab.explain.maximization import Maximized as Maximized
    from cnnlab.explain.maximization import maximize as maximize
    from cnnlab.explain.relu_units import DeadUnits as DeadUnits
    from cnnlab.explain.relu_units import dead_units as dead_units
    from cnnlab.explain.relu_units import dead_units_over_training as dead_units_over_training

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "activation_maps": ("Activations", "activations"),
        "attribution": ("ATTRIBUTIONS", "Attribution", "attribute"),
        "cams": ("grad_cam",),
        "relu_units": ("DeadUnits", "dead_units", "dead_units_over_training"),
        "filter_kernels": ("Filters", "filter_responses", "filters"),
        "gradients": ("saliency",),
        "maximization": ("Maximized", "maximize"),
    },
)
