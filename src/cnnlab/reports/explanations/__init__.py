"""Explanations of a model as a person sees them: what can be asked for, and figures and a page of it."""
