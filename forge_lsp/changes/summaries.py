"""Change sets as a history lists them: without the contents of their files."""

from dataclasses import dataclass

from forge_lsp.changes.sets import ChangeState
from forge_lsp.paths import ProjectPath

_FIRST: tuple[ChangeState, ...] = ("pending", "accepted", "undone")


@dataclass(frozen=True, slots=True)
class FileSummary:
    """One file of a change set; the fields are those of `FileChange`."""

    path: ProjectPath
    state: ChangeState
    added: int
    removed: int
    accepted_at: int | None


@dataclass(frozen=True, slots=True)
class ChangeSummary:
    """One change set; the fields are those of `ChangeSet`."""

    id: str
    title: str
    created_at: int
    files: tuple[FileSummary, ...]

    @property
    def state(self) -> ChangeState:
        """Pending as long as anything is; accepted where anything was and isn't undone."""
        states = {each.state for each in self.files}
        for state in _FIRST:
            if state in states:
                return state
        return "rejected"

    @property
    def accepted_at(self) -> int | None:
        """When the last accept was of those that can be undone; None where there is none."""
        return max((each.accepted_at for each in self.files if each.accepted_at), default=None)
