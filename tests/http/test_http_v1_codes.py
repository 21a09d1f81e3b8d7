"""Every code of an error under /v1, provoked over a real socket."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from http_serving import TOKEN, Api, serving, settings
from http_v1 import app_with, stream, token

from forge_lsp.http.openapi.answers import V1ErrorDetail
from forge_lsp.settings import LimitSettings
from forge_lsp.store.sql import SqlStore

GENERATE = "/v1/apps/generate"
PROMPT = {"prompt": "A landing page with pricing and a footer"}
FILES = {"files": {"src/App.tsx": "export default () => null;\n"}}

Answer = tuple[int, Mapping[str, str], dict[str, Any]]


async def ask(api: Api, method: str, path: str, **options: Any) -> Answer:
    async with api.client.request(method, path, **options) as response:
        return response.status, response.headers, await response.json()


async def invalid_request(api: Api) -> Answer:
    return await ask(api, "POST", GENERATE, json={"prompt": 3})


async def invalid_key(api: Api) -> Answer:
    return await ask(api, "GET", "/v1/apps", headers={"Authorization": f"Bearer {TOKEN}x"})


async def expired_key(api: Api) -> Answer:
    return await ask(api, "GET", "/v1/apps", headers=await token(api, lifetime_s=0.0))


async def missing_scope(api: Api) -> Answer:
    headers = await token(api, scopes=("read",))
    return await ask(api, "POST", GENERATE, json=PROMPT, headers=headers)


async def quota_exceeded(api: Api) -> Answer:
    headers = await token(api)
    assert (await stream(api, GENERATE, PROMPT, headers=headers))[-1]["type"] == "ready"
    return await ask(api, "POST", GENERATE, json=PROMPT, headers=headers)


async def tier_required(api: Api) -> Answer:
    body = {**PROMPT, "modelOverride": "a-better-one"}
    return await ask(api, "POST", GENERATE, json=body, headers=await token(api))


async def not_found(api: Api) -> Answer:
    return await ask(api, "GET", "/v1/apps/app_unknown")


async def conflict(api: Api) -> Answer:
    return await ask(api, "POST", f"/v1/runs/{await ended(api)}/cancel")


async def gone(api: Api) -> Answer:
    run_id = await ended(api)
    write(api, "DELETE FROM events")
    write(api, "UPDATE runs SET journal = 'removed'")
    return await ask(api, "GET", f"/v1/runs/{run_id}/events")


async def unprocessable(api: Api) -> Answer:
    return await ask(api, "POST", GENERATE, json={**PROMPT, "template": "cobol"})


async def rate_limited(api: Api) -> Answer:
    headers = await token(api)
    while (answer := await ask(api, "GET", "/v1/apps", headers=headers))[0] == 200:
        pass
    return answer


async def internal_error(api: Api) -> Answer:
    app_id = await app_with(api, {})
    write(api, "UPDATE apps SET created_at = 'a time that no code of ours would write'")
    return await ask(api, "GET", f"/v1/apps/{app_id}")


async def unavailable(api: Api) -> Answer:
    api.doorway.drain()
    return await ask(api, "POST", GENERATE, json=PROMPT)


async def upstream_error(api: Api) -> Answer:
    app_id = await built(api)
    sandbox = api.provider.made[0]
    sandbox.refuses.add("src/App.tsx")
    before = await api.get(f"/v1/apps/{app_id}/files")
    answer = await ask(api, "PATCH", f"/v1/apps/{app_id}/files", json=FILES)
    # What the preview doesn't show isn't in the app either.
    assert await api.get(f"/v1/apps/{app_id}/files") == before
    return answer


async def gateway_timeout(api: Api) -> Answer:
    app_id = await built(api)
    api.provider.made[0].may_write.clear()
    return await ask(api, "PATCH", f"/v1/apps/{app_id}/files", json=FILES)


async def built(api: Api) -> str:
    """The id of an app that is shown in a sandbox."""
    return (await stream(api, GENERATE, PROMPT))[-1]["appId"]


async def ended(api: Api) -> str:
    """The id of a run that has ended."""
    return (await stream(api, GENERATE, PROMPT))[-1]["runId"]


def write(api: Api, statement: str) -> None:
    """Write into the database behind the store's back."""
    assert isinstance(api.engine.store, SqlStore)
    with api.engine.store._engine.begin() as connection:
        connection.exec_driver_sql(statement)


PROVOKED: Mapping[str, tuple[int, str, Callable[[Api], Awaitable[Answer]]]] = {
    "invalid_request": (400, "invalid_request_error", invalid_request),
    "invalid_key": (401, "authentication_error", invalid_key),
    "expired_key": (401, "authentication_error", expired_key),
    "missing_scope": (403, "permission_error", missing_scope),
    "quota_exceeded": (403, "permission_error", quota_exceeded),
    "tier_required": (403, "permission_error", tier_required),
    "not_found": (404, "invalid_request_error", not_found),
    "conflict": (409, "invalid_request_error", conflict),
    "gone": (410, "invalid_request_error", gone),
    "unprocessable": (422, "invalid_request_error", unprocessable),
    "rate_limited": (429, "rate_limit_error", rate_limited),
    "internal_error": (500, "api_error", internal_error),
    "unavailable": (503, "api_error", unavailable),
    "upstream_error": (502, "api_error", upstream_error),
    "gateway_timeout": (504, "api_error", gateway_timeout),
}


def test_every_code_of_the_description_is_provoked_here() -> None:
    assert set(get_args(get_type_hints(V1ErrorDetail)["code"])) == set(PROVOKED)


@pytest.mark.parametrize("code", PROVOKED)
async def test_a_code_comes_with_its_status_and_its_type(tmp_path: Path, code: str) -> None:
    status, kind, provoke = PROVOKED[code]
    chosen = msgspec.structs.replace(
        settings(http={"sandbox_timeout_s": 0.5}),
        limits=LimitSettings(
            free_tokens_per_day=1 if code == "quota_exceeded" else 0,
            free_requests_per_minute=3 if code == "rate_limited" else 0,
        ),
    )
    async with serving(tmp_path, chosen) as api:
        answered, headers, answer = await provoke(api)
    error = answer.pop("error")
    assert answer == {}
    assert (answered, error["code"], error["type"]) == (status, code, kind)
    assert error["message"]
    assert error["requestId"] == headers["X-Request-Id"]
    assert ("retryAfterMs" in error) == ("Retry-After" in headers)
    assert ("WWW-Authenticate" in headers) == (status == 401)
