"""A Ray cluster on this machine, apart from any other that may be there."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    # A token would be written to the home folder.
    "RAY_AUTH_MODE": "disabled",
    # Where memory is short for reasons of others, nothing here is to be ended for it.
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0",
}
NODE = {"num_cpus": 1, "include_dashboard": False, "include_log_monitor": False}
"""With a core, and nothing beside what is needed."""


@contextmanager
def ray_cluster(*, settings: Mapping[str, int] | None = None, **environment: str) -> Iterator[Any]:
    """A cluster of one node, to which this process is connected, in a folder of its own.

    :param settings: of Ray's own, for the whole cluster.
    :param environment: of its processes besides.
    """
    # Not in that of pytest: paths of sockets are short.
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("RAY_")]:
            patch.delenv(name)
        for name, value in {**ENVIRONMENT, "RAY_TMPDIR": folder, **environment}.items():
            patch.setenv(name, value)
        import ray
        from ray.cluster_utils import Cluster

        # It takes seconds of the processor also without a dashboard, and nothing here asks it.
        patch.setattr("ray._private.node.Node.start_api_server", lambda *_, **__: None, raising=False)
        made = Cluster(True, head_node_args={**NODE, "no_monitor": True, "_system_config": dict(settings or {})})
        try:
            # Before there is another node, which it might take for its own: it would go down with that.
            ray.init(made.address, log_to_driver=False, configure_logging=False)
            yield made
        finally:
            ray.shutdown()
            made.shutdown()
            shutil.rmtree(folder, ignore_errors=True)
