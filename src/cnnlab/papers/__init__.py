"""Published experiments that anybody can run again: a folder a paper, a file for each of its tables and figures.

Five papers come with cnnlab; :class:`Paper` opens those and folders of one's own.
"""

from cnnlab.papers.paper import Paper as Paper

__all__ = ["Paper"]
