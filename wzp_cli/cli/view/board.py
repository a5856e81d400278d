"""What the screen wants of the call under way, wherever that is carried."""

from typing import Protocol

__all__ = ["Board", "CarriedCall", "Switches"]


class Switches(Protocol):
    """The switches of a call that was answered; `services.call_controls` fits."""

    held: bool

    def switch_mute(self, on: bool | None) -> None:
        """Mute, or no longer; None: the other way. Ends push-to-talk."""

    def talk(self, on: bool | None = True) -> None:
        """Press push-to-talk's key, or release it."""

    def hold(self, on: bool = True) -> None:
        """Put the call on hold, or resume it."""

    @property
    def hang_up(self) -> "HangUp":
        """What ends the call."""


class HangUp(Protocol):
    """Ends a call."""

    def __call__(self) -> None:
        """End it."""


class CarriedCall(Protocol):
    """A call, from its first ring to its end."""

    @property
    def controls(self) -> Switches | None:
        """Its switches, once it was answered."""

    def hang_up(self) -> None:
        """End it, however far it has come."""


class Board(Protocol):
    """Where the call under way is found; `services.switchboard` fits."""

    @property
    def line(self) -> CarriedCall | None:
        """The call under way."""
