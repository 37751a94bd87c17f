"""What only the local doorbell has; all else is in the contract suite."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rushes.workers.doorbell import LocalListener


async def test_one_worker_listens_for_a_data_directory(tmp_path: Path) -> None:
    listener = LocalListener(tmp_path)
    with pytest.raises(OSError):
        LocalListener(tmp_path)
    listener.close()


def test_the_local_doorbell_needs_nothing_of_the_fleet() -> None:
    code = "import sys, rushes.workers.doorbell; assert not {'redis', 'dramatiq'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
