"""What a run gets wrong, and why that may be: mistakes, wrong labels, what is learned late, pictures in two splits."""
