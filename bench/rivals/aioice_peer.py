"""One end of an ICE connection by aioice: JSON lines in and out, as _rivals.py wants.

python aioice_peer.py offers|answers STUN-HOST STUN-PORT
"""

import asyncio
import json
import sys

import aioice


def say(**words: object) -> None:
    """Print one line."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


async def main(role: str, host: str, port: int) -> None:
    """Gather, tell the other end, connect."""
    connection = aioice.Connection(
        ice_controlling=role == "offers", stun_server=(host, port)
    )
    loop = asyncio.get_running_loop()
    if role == "answers":
        theirs = await loop.run_in_executor(None, sys.stdin.readline)
        await gather(connection)
    else:
        await gather(connection)
        theirs = await loop.run_in_executor(None, sys.stdin.readline)
    told = json.loads(theirs)["signal"]
    connection.remote_username, connection.remote_password = told["key"]
    for candidate in told["candidates"]:
        await connection.add_remote_candidate(aioice.Candidate.from_sdp(candidate))
    await connection.add_remote_candidate(None)
    try:
        await connection.connect()
    except ConnectionError as error:
        say(failed=str(error))
        return
    say(connected=True)
    await loop.run_in_executor(None, sys.stdin.readline)


async def gather(connection: aioice.Connection) -> None:
    """Tell the other end where we are."""
    await connection.gather_candidates()
    key = [connection.local_username, connection.local_password]
    candidates = [each.to_sdp() for each in connection.local_candidates]
    say(signal={"key": key, "candidates": candidates})


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
