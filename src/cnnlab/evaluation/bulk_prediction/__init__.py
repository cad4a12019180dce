"""Predictions of many pictures into one file: read ahead, kept in parts, written as a table or a submission."""
