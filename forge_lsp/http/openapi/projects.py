"""What each route of projects, messages and fragments takes and gives."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from forge_lsp.http import project_bodies as bodies
from forge_lsp.http.openapi.answers import Answer
from forge_lsp.http.openapi.operation import PAGE, Operation, Parameter


class FragmentError(Answer):
    """What went wrong, under /api/fragments."""

    error: str
    """A sentence for people."""


class Design(Answer):
    """What an app is to look like."""

    palette: dict[str, str]
    """Colours by their role."""
    typography: str
    layout: str
    components: list[str]
    """How those that recur look."""


class Fragment(Answer):
    """The files that a message was answered with, as they are by now."""

    id: str
    message_id: str
    """The answer that it came with."""
    sandbox_url: str | None
    """Where its preview answers."""
    sandbox_id: str | None
    title: str
    files: dict[str, str]
    """The text of each, by its path; those that are no text are left out."""
    image_url: str | None
    design_spec: Design | None
    created_at: str
    """ISO 8601 with milliseconds and Z, as every time here."""
    updated_at: str


class FragmentList(Answer):
    """A page of a project's fragments, the newest first."""

    data: list[Fragment]
    next_cursor: str | None
    """What to ask for the next page with."""
    has_more: bool


class FragmentVersion(Answer):
    """What a fragment was once."""

    version: int
    """1 for the first."""
    created_at: str
    reason: str
    """What brought it, for people."""
    changed: list[str]
    """The paths in which it differs from the one before."""


class FragmentVersionList(Answer):
    """A page of a fragment's versions, the newest first."""

    data: list[FragmentVersion]
    next_cursor: str | None
    """What to ask for the next page with."""
    has_more: bool


class Project(Answer):
    """An app that is talked with, or a folder that is open in an editor."""

    id: str
    name: str
    created_at: str
    updated_at: str


class ProjectList(Answer):
    """A page of the account's projects, the newest first."""

    data: list[Project]
    next_cursor: str | None
    """What to ask for the next page with."""
    has_more: bool


class ProjectMessage(Answer):
    """A turn of a project's conversation."""

    id: str
    project_id: str
    role: Literal["USER", "ASSISTANT"]
    type: Literal["RESULT", "ERROR"]
    """ERROR for an answer that didn't come to its end."""
    content: str
    image_url: str | None
    run_id: str | None
    """The run that answers, or answered, it."""
    fragment_id: str | None
    """What came of it."""
    created_at: str


class ProjectMessageList(Answer):
    """A page of a project's messages, the newest first."""

    data: list[ProjectMessage]
    next_cursor: str | None
    """What to ask for the next page with."""
    has_more: bool


class ProjectBegun(Answer):
    """A project whose first generation is under way."""

    id: str
    """The project's."""
    run_id: str
    """/v1/runs/{id}/events tells of it."""


class MessageSent(Answer):
    """A message that is being answered."""

    id: str
    """The message's."""
    run_id: str
    """/v1/runs/{id}/events tells of it."""


_ID = {
    "type": "string",
    "minLength": bodies.MIN_ID_CHARACTERS,
    "maxLength": bodies.MAX_ID_CHARACTERS,
}
_OF_PROJECT = {"projectId": Parameter("Whose.", _ID, is_required=True), **PAGE}
_IF_MATCH = {
    "If-Match": Parameter(
        "The ETag or the `updatedAt` of the fragment that the change is made for; it is made only "
        "where that is the newest one. `*` is whichever that is.",
        {"type": "string", "minLength": 1, "format": "entity-tag"},
    )
}
_TAGGED = {"ETag": "What to send as If-Match with a change."}
_FOLLOWED = {"X-Run-Id": "The run's id."}
_NO_FRAGMENT = {404: "There is no such fragment in that project, or it is another account's."}
_NO_PROJECT = {404: "There is no such project, or it is another account's."}
_BAD_PAGE = {400: "The limit or the cursor is none."}
_BAD_ID = {422: "The id has less than 3 characters."}
_OF_CHANGE = {
    **_NO_FRAGMENT,
    409: "The fragment has no sandbox and none is named, or the idempotency key is in use.",
    412: "The fragment is newer than what If-Match names.",
    422: "A field is not as it must be, or a path may not be written.",
    502: "The sandbox could not be written: nothing is kept.",
}

PROJECT_OPERATIONS: Mapping[tuple[str, str], Operation] = MappingProxyType(
    {
        ("GET", "/api/fragments"): Operation(
            "List a project's fragments",
            "Projects",
            answer=FragmentList,
            query=_OF_PROJECT,
            failures=_NO_PROJECT | _BAD_PAGE | _BAD_ID,
        ),
        ("GET", "/api/fragments/{id}"): Operation(
            "One fragment",
            "Projects",
            answer=Fragment,
            gives=_TAGGED,
            id_schema=_ID,
            failures=_NO_FRAGMENT | _BAD_ID,
        ),
        ("PATCH", "/api/fragments/{id}"): Operation(
            "Write files of a fragment",
            "Projects",
            answer=Fragment,
            body=bodies.FragmentBody,
            example={
                "files": {
                    "app/page.tsx": "export default function Page() { return <h1>Updated</h1>; }"
                },
                "projectId": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
            },
            headers=_IF_MATCH,
            gives=_TAGGED,
            id_schema=_ID,
            failures=_OF_CHANGE,
        ),
        ("GET", "/api/fragments/{id}/versions"): Operation(
            "List a fragment's versions",
            "Projects",
            answer=FragmentVersionList,
            query=PAGE,
            id_schema=_ID,
            failures=_NO_FRAGMENT | _BAD_PAGE | _BAD_ID,
        ),
        ("POST", "/api/fragments/{id}/restore"): Operation(
            "Go back to a version of a fragment",
            "Projects",
            answer=Fragment,
            body=bodies.RestoreBody,
            example={"version": 1},
            headers=_IF_MATCH,
            gives=_TAGGED,
            id_schema=_ID,
            failures={**_OF_CHANGE, 404: "There is no such fragment, or no such version of it."},
        ),
        ("POST", "/api/projects"): Operation(
            "Begin a project",
            "Projects",
            answer=ProjectBegun,
            body=bodies.NewProjectBody,
            example={"message": "A to-do list with filters"},
            gives=_FOLLOWED,
            failures={422: "A field is not as it must be."},
            status=201,
        ),
        ("GET", "/api/projects"): Operation(
            "List projects", "Projects", answer=ProjectList, query=PAGE, failures=_BAD_PAGE
        ),
        ("GET", "/api/messages"): Operation(
            "List a project's messages",
            "Projects",
            answer=ProjectMessageList,
            query=_OF_PROJECT,
            failures=_NO_PROJECT | _BAD_PAGE | _BAD_ID,
        ),
        ("POST", "/api/messages"): Operation(
            "Go on in a project",
            "Projects",
            answer=MessageSent,
            body=bodies.NewMessageBody,
            example={
                "message": "Make the buttons green",
                "projectId": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
            },
            gives=_FOLLOWED,
            failures={
                **_NO_PROJECT,
                409: "Another message is being answered, or the project is open in an editor.",
                422: "A field is not as it must be.",
            },
            status=201,
        ),
    }
)
"""By method and path, as the route has it."""
