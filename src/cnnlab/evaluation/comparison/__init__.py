"""Whether one setting is better than another: tests, their choice, and how many repeats they need."""
