"""Jobs as processes with PyTorch loaded, in place of submitit's, for which each needs seconds of the processor."""

import os
from contextlib import nullcontext


class ForkedJobs:
    """What puts jobs into a queue, where each begins at once."""

    def __init__(self, context):
        self.context, self.jobs, self.asked = context, [], {}

    def update_parameters(self, **asked):
        self.asked = asked

    def batch(self):
        return nullcontext()

    def submit(self, function, *arguments):
        self.jobs.append(ForkedJob(self.context, len(self.jobs) + 1, function, arguments))
        return self.jobs[-1]


class ForkedJob:
    """A job as submitit has it."""

    def __init__(self, context, number, function, arguments):
        self.job_id = str(number)
        self.context, self.words = context, (self.job_id, function, arguments)
        self.begin()

    def begin(self):
        """Begins, once more where it was put back into the queue."""
        self.process = self.context.Process(target=begun, args=self.words)
        self.process.start()

    @property
    def state(self):
        return "COMPLETED" if self.process.exitcode == 0 else "FAILED"

    def done(self):
        return self.process.exitcode is not None

    def stderr(self):
        return None

    def cancel(self):
        self.process.kill()


def begun(job_id, function, arguments):
    """A job, in its process."""
    os.environ["SUBMITIT_LOCAL_JOB_ID"] = job_id
    function(*arguments)
