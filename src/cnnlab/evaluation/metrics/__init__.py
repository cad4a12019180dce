"""What stored predictions amount to: classes, numbers, probabilities."""
