"""Slurm for tests: one node, started by hand in a network of its own, without accounts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tests.console import clean_environment
from tests.system.namespace import ADDRESS, Namespace, namespace
from tests.system.serving import wait_for

_CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}({address})
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
KillWait=10
NodeName={host} NodeAddr={address} CPUs=2 RealMemory=2000
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@contextlib.contextmanager
def slurm_cluster(folder: Path) -> Iterator[tuple[Namespace, dict[str, str]]]:
    """Start Slurm; yields its network and the environment that its commands need. A requeued job waits five seconds."""
    host = os.uname().nodename
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    (folder / "slurm.conf").write_text(_CONFIGURATION.format(host=host, address=ADDRESS, folder=folder))
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    path = f"{os.environ['PATH']}:/usr/sbin"  # daemons lie there, and not every root has it on its path
    environment = {**clean_environment(), "PATH": path, "SLURM_CONF": str(folder / "slurm.conf")}
    files = [f"--{name}={folder}/munged.{name.partition('-')[0]}" for name in ("pid-file", "log-file", "seed-file")]
    with namespace() as network:
        socket = f"--socket={folder}/munge.socket"
        network.start(
            "munged",
            "--foreground",
            "--force",
            socket,
            f"--key-file={key}",
            *files,
            log=folder / "log",
            env=environment,
        )
        wait_for((folder / "munge.socket").exists)
        network.start("slurmctld", "-D", log=folder / "slurmctld.log", env=environment)
        network.start("slurmd", "-D", "-N", host, log=folder / "slurmd.log", env=environment)
        wait_for(lambda: "idle" in network.run("sinfo", env=environment).stdout)
        yield network, environment
