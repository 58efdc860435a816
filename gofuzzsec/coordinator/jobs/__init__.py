"""What workers are given to do, one file a kind of job: trying seeds, fuzzing an entry, judging
and shrinking a find, looking into a crash. Each job is a generator (see `coordinator.talk`)."""

from gofuzzsec.coordinator.jobs.batch import batch_job
from gofuzzsec.coordinator.jobs.crash import crash_job
from gofuzzsec.coordinator.jobs.fuzz import fuzz_job
from gofuzzsec.coordinator.jobs.plan import plan_job
from gofuzzsec.coordinator.jobs.seed import Seed, adopt_job, refresh_job, seed_job

__all__ = [
    "Seed",
    "adopt_job",
    "batch_job",
    "crash_job",
    "fuzz_job",
    "plan_job",
    "refresh_job",
    "seed_job",
]
