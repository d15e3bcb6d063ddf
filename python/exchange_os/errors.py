"""Every error that this package raises on purpose. Each class has a number that never changes its meaning.

A reject of the engine keeps the engine's own number (101 to 599); the boundary counts from 701, the life of
an exchange from 801, its files from 901. Every message names the value and the limit or expectation it met.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange_os._core import Reject
    from exchange_os.credentials.faults import CredentialFault


class Error(Exception):
    """The base of all errors below."""

    number: ClassVar[int] = 700


# --- 7xx: what was given cannot become a command; nothing was sent ---


class InvalidArgument(Error, ValueError):
    """An argument has no meaning: an unknown word, an empty owner, a client id that is too long."""

    number = 701


class FloatRefused(Error, TypeError):
    """A float was given where an exact number is needed: a float has no exact decimal value."""

    number = 702


class Inexact(Error, ValueError):
    """A value is finer than the tick, the lot or the atom. It is refused, never rounded."""

    number = 703


class OutOfRange(Error, OverflowError):
    """A number is outside the bounds of its argument, or of the field of the record that would carry it."""

    number = 704


class UnknownName(Error, LookupError):
    """No asset, venue, instrument or question has this symbol."""

    number = 705


class BatchRefused(Error, TypeError):
    """An array of commands has the wrong type, dtype, shape or memory layout."""

    number = 706


class MarketFileError(Error, ValueError):
    """A market file cannot be used. `problems` lists everything that was found, in order of line."""

    number = 707

    def __init__(self, message: str, problems: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class TimeBackwards(Error, ValueError):
    """A command carries a time before that of its predecessor; logged time never goes backwards."""

    number = 708


class EventsGone(Error, LookupError):
    """Events were asked for that the bounded memory of recent events no longer holds; the log has them."""

    number = 709


class CredentialRefused(Error, ValueError):
    """A credential counts for nothing; `fault` says why, with a number of its own. Nothing was sent."""

    number = 710

    def __init__(self, fault: CredentialFault, message: str) -> None:
        super().__init__(f"{fault.value} {fault.name}: {message}")
        self.fault = fault


# --- 1xx to 5xx: the engine refused ---


class Rejected(Error):
    """The engine refused a command, which had no effect.

    `code` is the engine's number, `name` its name, `sentence` the reason with its numbers filled in, `value`
    and `limit` the numbers themselves. `transient`: the same command may pass later without change.
    """

    number = 100

    def __init__(
        self, reject: Reject, name: str, sentence: str, value: int, limit: int, transient: bool
    ) -> None:
        super().__init__(f"{int(reject)} {name}: {sentence}")
        self.reject = reject
        self.code = int(reject)
        self.name = name
        self.sentence = sentence
        self.value = value
        self.limit = limit
        self.transient = transient


# --- 8xx: the life of an exchange ---


class Closed(Error):
    """The exchange was closed; open it again."""

    number = 801


class AlreadyOpen(Error):
    """Another process, or another exchange of this one, has the directory open. `path` names it."""

    number = 802

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message)
        self.path = path


class Halted(Error):
    """A check of the engine itself failed or the disk did. The exchange refuses everything from then on.

    Nothing that was acknowledged is lost: close it and open the directory again.
    """

    number = 803


class Forked(Error):
    """This process is a fork of the one that opened the directory, to which alone the log belongs.

    In the fork everything but `close` raises it; open a directory of its own there, or keep one in memory.
    """

    number = 804


class Disconnected(Error, ConnectionError):
    """The connection to a server ended, or could not be made; `code` names why.

    Whether commands without an answer took effect is not known: send them again with their client ids.
    """

    number = 805

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class SessionRefused(Error):
    """A server did not take a command into its log: too fast, not your account, not within the key's scopes.

    `code` names why; `retry_ns` is when it would be taken, nanoseconds from now, or 0: never.
    """

    number = 806

    def __init__(self, message: str, code: str, value: int, limit: int, retry_ns: int) -> None:
        super().__init__(message)
        self.code = code
        self.value = value
        self.limit = limit
        self.retry_ns = retry_ns


class ApiRefused(Error):
    """The public interface refused a request, which had no effect.

    `code` is the code of OKX, `status` that of HTTP; the message is the server's.
    """

    number = 807

    def __init__(self, message: str, code: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status


class ApiUnavailable(Error, ConnectionError):
    """The public interface gave no answer, or none that counts, however often it was asked.

    Whether a request that changes something took effect is not known: its client id tells.
    """

    number = 808


# --- 9xx: files ---


class NoExchangeHere(Error, FileNotFoundError):
    """The directory holds no exchange, and none was made: it was not asked for, or other files are there."""

    number = 901


class Corrupt(Error):
    """Files of the directory are damaged. Nothing was changed; `file`, `offset` and `sequence` say where."""

    number = 902

    def __init__(self, message: str, file: str, offset: int, sequence: int) -> None:
        super().__init__(message)
        self.file = file
        self.offset = offset
        self.sequence = sequence


class DiskFailed(Error, OSError):
    """The disk failed an operation, or is full."""

    number = 903


class VerifyFailed(Error):
    """The log was replayed and something did not agree with what was recorded."""

    number = 904
