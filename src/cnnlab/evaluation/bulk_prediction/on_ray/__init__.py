"""Predictions of many pictures by the nodes of a Ray cluster."""
