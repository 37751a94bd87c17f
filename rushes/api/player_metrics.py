"""What players report (CMCD), as numbers of this process. No label comes from a player."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from rushes.api.cmcd import Report

KBITS = (250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000)
SECONDS = (0.5, 1, 2, 4, 8, 15, 30, 60)


class PlayerMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        text = "Requests by which a player reported something"
        self._reports = Counter("rushes_player_reports", text, registry=registry)
        text = "Requests by which a player said that it had run out of media before"
        self._rebuffered = Counter("rushes_player_rebuffered", text, registry=registry)
        text = "Throughput that players measured, in kbit/s"
        self._throughput = Histogram("rushes_player_throughput_kbps", text, registry=registry, buckets=KBITS)
        text = "Media that players had ahead, in seconds"
        self._buffer = Histogram("rushes_player_buffer_seconds", text, registry=registry, buckets=SECONDS)

    def heard(self, report: Report) -> None:
        self._reports.inc()
        if report.get("bs"):
            self._rebuffered.inc()
        if "mtp" in report:
            self._throughput.observe(float(report["mtp"]))
        if "bl" in report:
            self._buffer.observe(float(report["bl"]) / 1000)
