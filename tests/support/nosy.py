"""wzp that keeps all it is told: `python -m` this. A peer who wants to know.

Each message of a peer or a relay goes, decrypted, into `heard.jsonl` in the state
directory, with when it came. Without a terminal it rings until `wzp answer` says so.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["main"]


def main() -> None:
    """Run wzp with open ears."""
    from wzp_cli.endpoint.links.message_stream import MessageStream

    receive = MessageStream.receive
    path = Path(os.environ["WZP_STATE_DIR"]) / "heard.jsonl"

    async def kept(stream: MessageStream[Any]) -> Any:
        message = await receive(stream)
        fields = msgspec.to_builtins(message)
        with path.open("a") as file:
            at = time.time()  # noqa: TID251 - compared with a capture's
            file.write(json.dumps({"at": at, **fields}) + "\n")
        return message

    MessageStream.receive = kept  # type: ignore[assignment, method-assign]
    sys.argv = [word for word in sys.argv if word != "--no-input"]
    from wzp_cli.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
