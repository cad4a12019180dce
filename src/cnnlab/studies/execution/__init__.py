"""How the trials of a study are carried out: scheduler, executors, workers, and what they train."""
