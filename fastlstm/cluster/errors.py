"""What can go wrong between a driver, its scheduler and its workers."""


class ClusterError(Exception):
    """What can go wrong with a cluster. What is committed stays."""


class NoDask(ClusterError):
    """The package distributed is not installed."""


class NoAddress(ClusterError, ValueError):
    """What was given is no address of a scheduler."""


class NoScheduler(ClusterError):
    """The scheduler cannot be reached, or is lost."""


class NoWorkers(ClusterError):
    """There has been no worker for a while."""


class OtherWorker(ClusterError):
    """A worker has another installation than the driver; the results of the two may differ."""


class WorkersDied(ClusterError):
    """Workers died over one task, which was the only one they had."""


class ResultLost(ClusterError):
    """The result of a task did not come through, time after time."""
