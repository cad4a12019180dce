"""What a network looks at and what it learned: attributions, filters, activations, embeddings, mistakes.

Arrays first: every function takes a model and pictures and gives plain arrays with what is needed to read them; figures
are drawn from these by ``cnnlab.reports``. Models are left exactly as they were found.
"""

from cnnlab.core.lazy_imports import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, {})
