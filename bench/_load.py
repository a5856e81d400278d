"""What so many calls did to a relay, and how that is told."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench._stage import percentile

PER_S = 50.0
SECONDS = 5.0


@dataclass(frozen=True)
class Load:
    """What so many calls did to a relay. `core`: its CPU, as a share of one."""

    calls: int
    per_s: float
    loss_pct: float | None
    p50_us: float | None
    p99_us: float | None
    core: float

    @classmethod
    def of(
        cls, calls: int, sent: dict, delays_us: Sequence[int], core: float
    ) -> "Load":
        """Return what came of what was sent, as bench/_voices.py tells it."""
        if not delays_us:
            return cls(calls, 0.0, 100.0, None, None, core)
        return cls(
            calls,
            len(delays_us) / sent["seconds"],
            100 * (1 - len(delays_us) / sent["sent"]),
            percentile(delays_us, 0.5),
            percentile(delays_us, 0.99),
            core,
        )

    @property
    def per_core_s(self) -> float:
        """Packets passed on for each second of the relay's CPU."""
        return self.per_s / self.core

    @property
    def wanted(self) -> float:
        """The share of a core that all of its calls' packets want, lost ones too."""
        return self.calls * 2 * PER_S / self.per_core_s

    def row(self, name: str) -> list[str]:
        """Return a line of the table."""
        told = (self.loss_pct, self.p50_us, self.p99_us)
        loss, p50, p99 = ("-" if each is None else f"{each:.1f}" for each in told)
        figures = [f"{self.per_s:.0f}", loss, p50, p99, f"{100 * self.core:.0f}"]
        return [f"{name}, {self.calls}", *figures, f"{self.per_core_s:.0f}"]
