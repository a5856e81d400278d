"""What is told of a call's routes: as it happens, and at the end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wzp_cli.address import Address
from wzp_cli.events import (
    PathChanged,
    PathName,
    PathSelected,
    PathSpan,
    PathTried,
    Report,
)
from wzp_cli.protocol.traversal.paths import Paths
from wzp_cli.protocol.traversal.route import Route
from wzp_cli.protocol.traversal.trial import State, Trial

__all__ = ["PathTeller"]


@dataclass
class PathTeller:
    """Reports which route is taken and what was tried, each change once.

    Attributes:
        paths: The call's routes; only read here.
        now: The endpoint's clock.
        spans: Which path media used since when, in milliseconds from the answer.
        time_to_direct_ms: When media first went direct.
    """

    paths: Paths
    now: Callable[[], float]
    report: Report
    spans: list[PathSpan] = field(default_factory=list)
    time_to_direct_ms: float | None = None
    _told: dict[Route, State] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._began = self.now()
        self._note_span()
        path, rtt_ms = self.path, self._rtt_ms
        self.report(PathSelected(path=path, remote=self.remote, rtt_ms=rtt_ms))

    @property
    def path(self) -> PathName:
        """Which path media takes now."""
        return "direct" if self.paths.is_direct else "relay"

    @property
    def remote(self) -> str:
        """Where media goes now."""
        return str(self.paths.selected.remote)

    def moved(self, before: Route | None) -> None:
        """Tell that media has left a route for another."""
        self._note_span()
        self.report(
            PathChanged(
                path=self.path,
                remote=self.remote,
                reason=self._reason(before),
                rtt_ms=self._rtt_ms,
            )
        )

    def changed(self) -> list[Trial]:
        """Tell what has come of routes; return those that are otherwise than before."""
        changed = []
        for route, trial in self.paths.trials.items():
            state = State.VALID if trial.works else trial.state
            if self._told.get(route) == state:
                continue
            self._told[route] = state
            changed.append(trial)
            if route != self.paths.first and state in (State.VALID, State.FAILED):
                self._tell(trial)
        return changed

    def what_was_tried(self, refused: Mapping[Address, str]) -> str:
        """Say so in words, for a call that never went direct.

        Args:
            refused: Addresses that the peer named and may not be tried; why.
        """
        tried = [t for t in self.paths.trials.values() if not t.is_relay]
        if tried:
            elapsed_s = self.now() - self._began
            addresses = ", ".join(str(trial.route) for trial in tried)
            return f"no answer from {addresses} in {elapsed_s:.1f} s"
        if refused:
            reasons = (f"{address} is a {why}" for address, why in refused.items())
            return f"no address to try: {'; '.join(reasons)}"
        return "the peer named no address"

    # -- inside

    def _note_span(self) -> None:
        self.spans.append(PathSpan(path=self.path, from_ms=self._since_ms))
        if self.paths.is_direct and self.time_to_direct_ms is None:
            self.time_to_direct_ms = self.spans[-1].from_ms

    def _reason(self, before: Route | None) -> str:
        old = self.paths.trials.get(before) if before else None
        if old is not None and old.state in (State.DOUBTED, State.FAILED):
            return f"{old.route} no longer answers"
        return "a better route was found"

    def _tell(self, trial: Trial) -> None:
        self.report(
            PathTried(
                address=str(trial.route),
                answered=trial.works,
                checks=trial.sent,
                elapsed_ms=self._since_ms,
                reason=None if trial.works else "no answer",
            )
        )

    @property
    def _since_ms(self) -> float:
        return round((self.now() - self._began) * 1000, 1)

    @property
    def _rtt_ms(self) -> float | None:
        rtt_s = self.paths.rtt_s
        return None if rtt_s is None else round(rtt_s * 1000, 1)
