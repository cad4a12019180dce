"""What a trained classifier says of other data."""
