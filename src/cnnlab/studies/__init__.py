"""One question, many trainings, honest statistics."""
