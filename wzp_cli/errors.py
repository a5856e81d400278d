"""Every error wzp raises on purpose.

The docstring of a class is what the user reads, so it says what happened and what to
try. `code` is the stable name in JSON, `exit_code` the process's. Imports nothing.

    WzpError
    |-- ProtocolError
    |   |-- LocalProtocolError     we broke the rules: a bug in wzp
    |   `-- RemoteProtocolError    the peer or the relay broke them
    |-- UsageError                 the words of the command line
    |-- ConfigError                the words of the configuration file
    |-- RequirementNotMet          --require, --expect
    |-- NetworkError
    |   |-- NameNotFound
    |   |-- RelayBusy
    |   |-- RelayUnreachable
    |   |-- PeerUnreachable
    |   |-- TurnUnavailable
    |   `-- ConnectionLost
    |-- PeerError
    |   |-- PeerOffline
    |   |-- PeerBusy
    |   |-- PeerDeclined
    |   |-- NoAnswer
    |   `-- VersionMismatch
    |-- CallWithdrawn              by who steers it, before an answer
    |-- ControlError               the wzp that runs on this state directory
    |   |-- CallUnderWay
    |   |-- ControlBusy
    |   |-- ControlSilent
    |   |   `-- ControlEnded
    |   |-- ControlUnknown
    |   |-- NoCall
    |   `-- NotRunning
    |-- IdentityError
    |   |-- KeyChanged
    |   |-- WrongPeer
    |   `-- AccessRefused
    `-- EnvironmentFault
        |-- OutOfResources
        |-- PortInUse
        |-- StateUnusable
        |-- CodecMissing
        `-- SoundError
"""

from typing import ClassVar

__all__ = [
    "AccessRefused",
    "CallUnderWay",
    "CallWithdrawn",
    "CodecMissing",
    "ConfigError",
    "ConnectionLost",
    "ControlBusy",
    "ControlEnded",
    "ControlError",
    "ControlSilent",
    "ControlUnknown",
    "EnvironmentFault",
    "IdentityError",
    "KeyChanged",
    "LocalProtocolError",
    "NameNotFound",
    "NetworkError",
    "NoAnswer",
    "NoCall",
    "NotRunning",
    "OutOfResources",
    "PeerBusy",
    "PeerDeclined",
    "PeerError",
    "PeerOffline",
    "PeerUnreachable",
    "PortInUse",
    "ProtocolError",
    "RelayBusy",
    "RelayUnreachable",
    "RemoteProtocolError",
    "RequirementNotMet",
    "SoundError",
    "StateUnusable",
    "TurnUnavailable",
    "UsageError",
    "VersionMismatch",
    "WrongPeer",
    "WzpError",
]


class WzpError(Exception):
    """Something went wrong."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "failed"


class ProtocolError(WzpError):
    """A message broke the rules of the protocol."""

    code = "protocol"


class LocalProtocolError(ProtocolError):
    """wzp tried to do something its own protocol forbids: please report this."""

    exit_code = 70
    code = "internal"


class RemoteProtocolError(ProtocolError):
    """The other side sent what wzp does not understand. Compare versions."""

    code = "remote_protocol"


class UsageError(WzpError):
    """The command line is not right. See `wzp --help`."""

    exit_code = 2
    code = "usage"


class ConfigError(WzpError):
    """The configuration file is not right. Correct it, or name another: --config."""

    exit_code = 78
    code = "config"


class RequirementNotMet(WzpError):
    """What you required did not come true."""

    exit_code = 3
    code = "requirement"


class NetworkError(WzpError):
    """The network did not carry us. Check that this machine is online."""

    exit_code = 4
    code = "network"


class NameNotFound(NetworkError):
    """The host name has no address. Check its spelling and this machine's DNS."""

    code = "name_not_found"


class RelayBusy(NetworkError):
    """The relay takes no more calls from you just now. Try again in a minute."""

    code = "relay_busy"


class RelayUnreachable(NetworkError):
    """No answer from the relay. Check its address, and that UDP may leave here."""

    code = "relay_unreachable"


class PeerUnreachable(NetworkError):
    """No answer from that address. Check that `wzp listen` runs and is reachable."""

    code = "peer_unreachable"


class TurnUnavailable(NetworkError):
    """The TURN server does not serve us. Calls go on without; tell the operator."""

    code = "turn_unavailable"


class ConnectionLost(NetworkError):
    """The connection ended before the call did. Call again."""

    code = "connection_lost"


class PeerError(WzpError):
    """The peer did not take the call."""

    exit_code = 5
    code = "peer"


class PeerOffline(PeerError):
    """The peer is not registered at this relay. Ask them to run `wzp listen`."""

    code = "peer_offline"


class PeerBusy(PeerError):
    """The peer is in another call. Try again later."""

    code = "peer_busy"


class PeerDeclined(PeerError):
    """The peer declined the call."""

    code = "peer_declined"


class NoAnswer(PeerError):
    """Nobody answered. Try again later."""

    code = "no_answer"


class VersionMismatch(PeerError):
    """The two sides speak no common version. Update the older one."""

    code = "version"


class CallWithdrawn(WzpError):
    """The call was hung up before anybody answered."""

    code = "withdrawn"


class ControlError(WzpError):
    """The wzp that runs on this state directory did not do what it was asked."""

    code = "control"


class CallUnderWay(ControlError):
    """The wzp that runs here is in a call. To end that one: `wzp hangup`."""

    code = "in_call"


class ControlBusy(ControlError):
    """The wzp that runs here does the same for somebody else just now. Try again."""

    code = "control_busy"


class ControlSilent(ControlError):
    """The wzp that runs here does not answer. If it is stopped, let it go on: fg."""

    code = "control_silent"


class ControlEnded(ControlSilent):
    """The wzp that ran here has ended."""

    code = "control_ended"


class ControlUnknown(ControlError):
    """The wzp that runs here does not know this request. Restart it: it is older."""

    code = "control_unknown"


class NoCall(ControlError):
    """There is no such call now. What there is, says `wzp status`."""

    code = "no_call"


class NotRunning(ControlError):
    """No wzp is running on this state directory. Start one: `wzp listen`."""

    code = "not_running"


class IdentityError(WzpError):
    """An identity could not be proven."""

    exit_code = 6
    code = "identity"


class KeyChanged(IdentityError):
    """The relay shows another key. If you trust it anew: `wzp id forget RELAY`."""

    code = "key_changed"


class WrongPeer(IdentityError):
    """Somebody else answered under that identity. The call was not made."""

    code = "wrong_peer"


class AccessRefused(IdentityError):
    """The relay does not admit this identity. Ask its operator for access."""

    code = "access_refused"


class EnvironmentFault(WzpError):
    """This machine lacks what wzp needs here."""

    exit_code = 7
    code = "environment"


class OutOfResources(EnvironmentFault):
    """This machine has no more memory, files or space for wzp. Free some of it."""

    code = "resources"


class PortInUse(EnvironmentFault):
    """Another program holds that UDP port. Choose another with --port."""

    code = "port_in_use"


class StateUnusable(EnvironmentFault):
    """The state directory can't be used. Check its owner, mode and free space."""

    code = "state"


class CodecMissing(EnvironmentFault):
    """No libopus was found. Install libopus0 (Debian) or opus (Homebrew)."""

    code = "codec_missing"


class SoundError(EnvironmentFault):
    """The sound device is not usable. Choose another with --in and --out."""

    code = "sound"
