"""What the numbers of a study say: tables, tests, verdicts on claims, published numbers."""
