"""Errors for people: what happened, and what to do next.

Each class carries a stable `code`. The wires (LSP, HTTP, command line) map codes to their own
numbers once, at their own edge; the centre only raises.
"""

from typing import ClassVar


class ForgeError(Exception):
    """The root of every failure that forge-lsp explains; anything else is a bug."""

    code: ClassVar[str] = "internal_error"
    remedy: str = ""
    """What the reader can do about it, as a sentence; empty where the message already says so."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if remedy is not None:
            self.remedy = remedy

    def for_people(self) -> str:
        """The message and, where there is one, the remedy."""
        return f"{self.message} {self.remedy}".strip()


class InvalidRequest(ForgeError):
    """What was asked can't be understood or isn't allowed by the contract."""

    code = "invalid_request"


class PathRefused(InvalidRequest):
    """A path that is absolute, leaves the project, or names a protected place."""

    code = "path_refused"


class PackageRefused(InvalidRequest):
    """A package name or version that npm would not take from its registry."""

    code = "package_refused"


class NotFound(ForgeError):
    """Something named by id that isn't there, or isn't this account's."""

    code = "not_found"


class Gone(ForgeError):
    """Something that was there and is kept no longer."""

    code = "gone"


class Conflict(ForgeError):
    """What was asked doesn't fit the state of things: ended already, changed since, in use."""

    code = "conflict"


class ChangedSince(Conflict):
    """A file differs from what a change set was made for; its message names the file."""

    code = "changed_since"


class VersionConflict(Conflict):
    """Something isn't at the version any more that a change was made for."""

    code = "version_conflict"
    remedy = "Read it again and make the change anew."


class TooManyRuns(ForgeError):
    """As many runs as are allowed are under way."""

    code = "rate_limited"
    remedy = "Wait for one to end, or cancel one."


class WorkspaceRefused(ForgeError):
    """A folder that forge-lsp won't work in: missing, read-only, the home folder, or `/`."""

    code = "workspace_refused"
    remedy = "Open a project folder and try again."


class IsolationUnavailable(ForgeError):
    """This machine can't confine a sandbox, so none is started."""

    code = "isolation_unavailable"
    remedy = "Run `forge-lsp doctor` to see what is missing and how to get it."


class SandboxFailed(ForgeError):
    """A sandbox could not be made, or would not do what it was told."""

    code = "sandbox_failed"
    remedy = "Run `forge-lsp doctor`, then try again."


class BrowserMissing(SandboxFailed):
    """There is no browser on this machine to look at a preview with."""

    code = "browser_missing"
    remedy = "Install Chromium (Debian and Ubuntu: apt-get install chromium) and try again."


class SandboxGone(ForgeError):
    """A sandbox that has ended: killed, expired, or dead."""

    code = "sandbox_gone"
    remedy = "Create a new sandbox; it is filled from the workspace."


class ModelFailed(ForgeError):
    """The model's server refused, broke off, or can't be reached."""

    code = "model_failed"


class ModelUnreachable(ModelFailed):
    """No answer from the model's server."""

    code = "model_unreachable"
    remedy = "Check the network and ANTHROPIC_BASE_URL, then try again."


class ModelBusy(ModelFailed):
    """The model's server kept saying that it is overloaded or that we ask too often."""

    code = "model_busy"
    remedy = "Wait a minute and try again."


class ModelKeyRejected(ModelFailed):
    """No API key, or one that the model's server doesn't take."""

    code = "model_key_rejected"
    remedy = "Set ANTHROPIC_API_KEY to a valid key, or FORGE_MODEL_PROVIDER=demo to try without."


class ModelRequestRefused(ModelFailed):
    """The model's server calls our request wrong: an unknown model, a context that is too large."""

    code = "model_request_refused"


class StoreFailed(ForgeError):
    """The database can't be opened, read or written."""

    code = "store_failed"
    remedy = "Check that the disk has room and that FORGE_HOME can be written."


class PortTaken(ForgeError):
    """The HTTP API can't listen where it was told to."""

    code = "port_taken"
    remedy = "Choose another with --http-port or http.port; 0 takes any that is free."
