"""How what a report says is drawn; nothing is worked out here."""
