"""Why a training learned nothing: looked at once at its end, at little cost, and kept in the record of the run."""
