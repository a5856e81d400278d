"""A text as a QR code of characters, for a terminal of 80 columns (extra `qr`)."""

import io
from typing import Final

from wzp_cli.errors import EnvironmentFault, UsageError

__all__ = ["drawn_qr_code"]

_COLUMNS: Final = 80
_QUIET_ZONE: Final = (
    2  # ISO/IEC 18004 wants 4; readers do with 2, and 80 columns are few
)


def drawn_qr_code(text: str) -> str:
    """Return lines of half blocks: light where the terminal writes, dark elsewhere.

    Made for terminals with a dark background; readers also take the reverse.

    Raises:
        EnvironmentFault: The extra is not installed.
        UsageError: The text is too long for 80 columns.
    """
    try:
        import segno
    except ImportError as error:
        raise EnvironmentFault(
            "QR codes need a package that is not here. Run: pip install 'wzp[qr]'"
        ) from error
    code = segno.make(text, error="l", micro=False)
    columns, _ = code.symbol_size(border=_QUIET_ZONE)
    if columns > _COLUMNS:
        raise UsageError(
            f"That QR code would have {columns} columns; {_COLUMNS} is most. A ticket"
            " that names a relay, not addresses, is shorter."
        )
    drawn = io.StringIO()
    code.terminal(drawn, border=_QUIET_ZONE, compact=True)
    return drawn.getvalue().rstrip("\n")
