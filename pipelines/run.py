"""Running the pipeline modules as one graph, with progress, seconds and memory per step."""

from __future__ import annotations

import logging
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import psutil

STAGES: dict[str, tuple[str, str]] = {
    "intake_reports": ("接收归档", "Intake"),
    "deidentified_run": ("去标识化", "De-identify"),
    "built_extract": ("生成提取数据", "Build extract"),
    "evidenced_extract": ("汇集证据", "Evidence"),
    "approved_extract": ("两名数据管理员审批", "Two stewards decide"),
    "published_release": ("发布", "Publish"),
    "verified_release": ("校验发布包", "Verify release"),
    "facts": ("文书事实抽取", "Facts from notes"),
    "loaded_release": ("装入 OMOP 库", "Load OMOP store"),
    "study_result": ("目标试验模拟", "Emulate trial"),
}


@dataclass
class StageLog:
    """Seconds and peak memory of the stages of one run, in the order they ran."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, seconds: float) -> None:
        """Add one stage.

        Parameters
        ----------
        name : str
            Node or step name.
        seconds : float
            Wall-clock time.
        """
        self.rows.append({"stage": name, "seconds": round(seconds, 2), "peak_mib": peak_memory_mib()})


def peak_memory_mib() -> int:
    """Return the peak resident memory of this process and of its ended children, so far.

    Returns
    -------
    int
        MiB; the larger of the two, plus what running children hold now.
    """
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    running = sum(_resident(c) for c in psutil.Process(os.getpid()).children(recursive=True))
    return (max(own, ended) + running // 1024) // 1024


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


def run_graph(
    modules: list[ModuleType],
    wanted: list[str],
    inputs: dict[str, Any],
    on_start: Callable[[str], None] = lambda name: None,
    on_end: Callable[[str, float, Any], None] = lambda name, seconds, result: None,
) -> dict[str, Any]:
    """Execute pipeline modules.

    Parameters
    ----------
    modules : list of module
        Pipeline modules; their functions are the nodes.
    wanted : list of str
        Nodes whose results are returned.
    inputs : dict
        Values that no node makes.
    on_start, on_end : callable
        Called before and after each node, with its name, and then seconds and result.

    Returns
    -------
    dict
        Results by node name.
    """
    from hamilton import base, driver, lifecycle

    # Hamilton logs the inputs of a node that fails; that is not for a hospital.
    logging.getLogger("hamilton").setLevel(logging.CRITICAL + 1)
    started: dict[str, float] = {}

    class Progress(lifecycle.NodeExecutionHook):
        def run_before_node_execution(self, *, node_name: str, **_: Any) -> None:
            started[node_name] = time.perf_counter()
            on_start(node_name)

        def run_after_node_execution(self, *, node_name: str, result: Any, success: bool, **_: Any) -> None:
            if success:
                on_end(node_name, time.perf_counter() - started.get(node_name, time.perf_counter()), result)

    graph = driver.Builder().with_modules(*modules).with_adapters(base.DictResult(), Progress()).build()
    known = {v.name for v in graph.list_available_variables()}
    return graph.execute(wanted, inputs={k: v for k, v in inputs.items() if k in known})
