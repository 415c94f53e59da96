"""What a run ran on: versions, commit and machine, for whoever wants to repeat it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("interplay", "torch", "lightning", "numpy", "jsonargparse", "torchmetrics")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Commit of the source tree ("…-dirty" with changes); None for an installed package or without git."""
    folder = Path(__file__).resolve().parent
    try:
        # The package itself must be tracked: a virtual environment inside someone's repository is not that repository.
        command = ["git", "-C", str(folder), "ls-files", "--error-unmatch", "../__init__.py"]
        subprocess.run(command, capture_output=True, check=True, timeout=10)
        command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        return subprocess.run(command, capture_output=True, check=True, timeout=10, text=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def environment() -> dict[str, Any]:
    """Everything for environment.json."""
    import torch

    return {
        "command": sys.argv,
        "versions": versions(),
        "commit": commit(),
        "machine": {
            "platform": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cpus": os.cpu_count(),
            "torch_threads": torch.get_num_threads(),
            "cuda": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
            "cuda_version": torch.version.cuda,
        },
    }
