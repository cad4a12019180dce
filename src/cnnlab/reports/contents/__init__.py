"""What a report says: plain values worked out from a study's result and its runs, before anything is drawn."""
