"""What is asked of a generation, checked."""

from collections.abc import Sequence
from dataclasses import dataclass

from forge_lsp.actions.metering import MayGoOn
from forge_lsp.errors import InvalidRequest
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.model import Message
from forge_lsp.ports.workspace import Files, Workspace


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of a document that the request is about."""

    path: ProjectPath
    text: str


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """New code from a prompt, or an edit of what exists."""

    prompt: str
    source: Files
    """What the model is shown, and what edits are made to."""
    is_edit: bool = False
    first: Sequence[ProjectPath] = ()
    """Files that matter for certain: the active document, the ones named."""
    selection: Selection | None = None
    recent: Sequence[Message] = ()
    """Earlier turns that came with the request."""
    conversation: str | None = None
    """A stored conversation that this turn continues and is stored in; in an editor's workspace,
    the project's current one in its place."""
    workspace: Workspace | None = None
    """Where the changes are to go after review, by way of the workspace's sandbox; None: the
    changes are only told."""
    account: str = "owner"
    project: str = ""
    is_accepted: bool = False
    """The changes need no review: nobody else's files are in the workspace."""
    may_go_on: MayGoOn | None = None
    """Asks whether it may cost more than the settings allow; None: it may not."""

    def check(self, max_prompt_bytes: int) -> None:
        """Raises `InvalidRequest` for a prompt that is empty or too long."""
        check_prompt(self.prompt, max_prompt_bytes)

    @property
    def title(self) -> str:
        """The prompt's first line, short."""
        return title_of(self.prompt)


def check_prompt(prompt: str, max_prompt_bytes: int) -> None:
    """Raises `InvalidRequest` for a prompt that is empty or too long."""
    if not prompt.strip():
        raise InvalidRequest("Prompt is required")
    size = len(prompt.encode("utf-8", "surrogatepass"))
    if size > max_prompt_bytes:
        raise InvalidRequest(
            f"The prompt has {size:,} bytes; at most {max_prompt_bytes:,} are allowed.",
            remedy="Shorten it, or put long text into a file of the project.",
        )


def title_of(prompt: str) -> str:
    """The prompt's first line, short."""
    line = prompt.strip().splitlines()[0]
    return line if len(line) <= 72 else f"{line[:71]}…"
