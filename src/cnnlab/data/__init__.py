"""Readers and named data sets, brought to one shape."""
