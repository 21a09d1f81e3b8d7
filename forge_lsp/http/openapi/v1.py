"""What each route of /v1 takes and gives."""

from collections.abc import Mapping
from types import MappingProxyType

from forge_lsp.http.openapi import answers, lines
from forge_lsp.http.openapi.operation import NDJSON, PAGE, Operation, Parameter
from forge_lsp.http.v1 import bodies

_EVENT_ID = {"type": "string", "pattern": "^[0-9]{1,15}$"}
_NO_APP = {404: "There is no such app."}
_CHANGED = {409: "Another run is changing the app."}

V1_OPERATIONS: Mapping[tuple[str, str], Operation] = MappingProxyType(
    {
        ("POST", "/v1/apps/generate"): Operation(
            "Build an app",
            "Apps",
            events=lines.BuildLine,
            media_type=NDJSON,
            body=bodies.GenerateAppBody,
            example={"prompt": "A landing page with pricing and a footer"},
            failures={
                404: "There is no such chat, or no such augmenter.",
                **_CHANGED,
                422: "There is no such template.",
            },
        ),
        ("GET", "/v1/apps"): Operation(
            "List apps",
            "Apps",
            answer=answers.AppList,
            query=PAGE,
            failures={400: "The limit or the cursor is none."},
        ),
        ("GET", "/v1/apps/{id}"): Operation(
            "One app", "Apps", answer=answers.App, failures=_NO_APP
        ),
        ("DELETE", "/v1/apps/{id}"): Operation(
            "Remove an app", "Apps", answer=answers.AppDeleted, failures=_NO_APP | _CHANGED
        ),
        ("GET", "/v1/apps/{id}/files"): Operation(
            "An app's files", "Apps", answer=answers.AppFiles, failures=_NO_APP
        ),
        ("PATCH", "/v1/apps/{id}/files"): Operation(
            "Write files of an app",
            "Apps",
            answer=answers.AppFiles,
            body=bodies.AppFilesBody,
            example={"files": {"src/App.tsx": "export default function App() { return null; }"}},
            failures={
                **_NO_APP,
                502: "The app's sandbox could not be written, and so nothing was.",
                504: "The app's sandbox took too long.",
            },
        ),
        ("POST", "/v1/apps/{id}/fork"): Operation(
            "Copy an app", "Apps", answer=answers.App, failures=_NO_APP, status=201
        ),
        ("POST", "/v1/chats/{id}/messages"): Operation(
            "Go on in an app's chat",
            "Apps",
            events=lines.RunLine,
            media_type=NDJSON,
            body=bodies.MessageBody,
            example={"prompt": "Make the buttons green"},
            failures={404: "There is no such chat, skill or augmenter.", **_CHANGED},
        ),
        ("GET", "/v1/skills"): Operation(
            "List skills and augmenters",
            "Skills",
            answer=answers.SkillList,
            query={**PAGE, "appId": Parameter("An app whose own skills are listed, too.")},
            failures={400: "The limit or the cursor is none.", **_NO_APP},
        ),
        ("POST", "/v1/skills"): Operation(
            "Keep a skill of one's own",
            "Skills",
            answer=answers.Skill,
            body=bodies.SkillBody,
            example={
                "alias": "tone",
                "title": "Tone of voice",
                "description": "Finds texts that do not sound like us.",
                "kind": "critique",
                "systemPrompt": "Read every text that users see. We are brief, warm and plain.",
                "sampleArgs": {"audience": "children"},
                "tags": ["copy"],
            },
            failures={409: "The alias is that of a built-in skill, or the account has too many."},
            status=201,
        ),
        ("POST", "/v1/skills/run"): Operation(
            "Have a skill look at something",
            "Skills",
            events=lines.SkillLine,
            media_type=NDJSON,
            body=bodies.RunSkillBody,
            example={"alias": "review", "appId": "app_5d41402abc4b2a76b971"},
            failures={
                404: "There is no such skill, app or chat.",
                422: "The address is not that of a sandbox of the account's own.",
            },
        ),
        ("POST", "/v1/augmenters/run"): Operation(
            "Have an augmenter change an app",
            "Skills",
            events=lines.SkillLine,
            media_type=NDJSON,
            body=bodies.RunAugmenterBody,
            example={"alias": "seo", "appId": "app_5d41402abc4b2a76b971", "dryRun": True},
            failures={
                404: "There is no such app or chat.",
                **_CHANGED,
                422: "Only an app can be changed: no text, and no address.",
            },
        ),
        ("GET", "/v1/runs/{id}"): Operation(
            "How far a run is", "Runs", answer=answers.Run, failures={404: "There is no such run."}
        ),
        ("GET", "/v1/runs/{id}/events"): Operation(
            "Follow a run from a cursor",
            "Runs",
            events=lines.RunLine,
            media_type=NDJSON,
            query={
                "cursor": Parameter(
                    "The id of the last event that the client has; left out: none.", _EVENT_ID
                )
            },
            failures={
                400: "The cursor is none.",
                404: "There is no such run.",
                410: "The run's events are kept no longer.",
            },
        ),
        ("POST", "/v1/runs/{id}/rollback"): Operation(
            "Put back what a run changed",
            "Runs",
            answer=answers.RunRolledBack,
            failures={
                404: "There is no such run, or it changed no app that is still there.",
                409: "A file has changed since, or the run changed nothing.",
                410: "It ended more than 24 hours ago.",
            },
        ),
        ("POST", "/v1/runs/{id}/cancel"): Operation(
            "Cancel a run",
            "Runs",
            answer=answers.RunCancelled,
            failures={404: "There is no such run.", 409: "It has ended already."},
            also=202,
        ),
    }
)
"""By method and path, as the route has it."""
