"""How a report goes to disk: one HTML file, and beside it tables, figures and recipes."""
