"""A process that runs a study and may be killed: its arguments are a study file and the folder of runs."""

import sys
import warnings

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    from cnnlab.studies import Study

    Study.load(sys.argv[1], runs=sys.argv[2]).run(workers=1)
