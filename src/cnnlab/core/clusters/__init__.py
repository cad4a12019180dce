"""Work on other machines: the connection to a Ray cluster, and what is sent there."""
