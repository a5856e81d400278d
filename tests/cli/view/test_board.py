from wzp_cli.cli.control.placed_call import PlacedCall
from wzp_cli.cli.view.board import Board, Switches
from wzp_cli.services.calls.call_controls import CallControls
from wzp_cli.services.calls.switchboard import Switchboard


def test_calls_here_and_calls_elsewhere_fit() -> None:
    """Says mypy; and that a screen finds no call where there is none."""

    def fits(board: Board, switches: Switches) -> Board:
        return board

    controls = CallControls(lambda event: None)
    assert fits(Switchboard(), controls).line is None
    assert isinstance(PlacedCall, type)
