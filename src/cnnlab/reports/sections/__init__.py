"""The sections of a report: a file each, which registers itself by the decorator :func:`section` of ``base``.

A new file in this folder is a part of every report that it has something to say on.
"""

from importlib import import_module
from pkgutil import iter_modules

from cnnlab.reports.sections.base import Section, SectionFigure, sections_of

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["Section", "SectionFigure", "sections_of"]
