"""What the checks are told: the session, how to cure, what to leave alone."""

from dataclasses import dataclass
from pathlib import Path

from wzp_cli.adapters.disk.state import State, default_state_directory
from wzp_cli.cli.command import Session
from wzp_cli.cli.doctor.remedies import Remedies

__all__ = ["Patient"]


@dataclass(frozen=True, slots=True)
class Patient:
    """What the checks are told.

    Attributes:
        session: The command's.
        remedies: How this system gets what is missing.
        sound: Whether the sound card is part of it.
    """

    session: Session
    remedies: Remedies
    sound: bool = True

    @property
    def directory(self) -> Path:
        """The state directory, whether it is there or not."""
        said = self.session.settings.state_dir
        return (said or default_state_directory()).absolute()

    @property
    def state(self) -> State:
        """What is in it, unchecked."""
        return State(self.directory)
