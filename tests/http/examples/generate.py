"""Generate an app, print the reply as it comes, and list the files that came of it."""

import os

import httpx
from httpx_sse import connect_sse

with httpx.Client(
    base_url=os.environ["FORGE_URL"],
    headers={"Authorization": f"Bearer {os.environ['FORGE_TOKEN']}"},
    timeout=httpx.Timeout(10, read=60),
) as client:
    body = {"prompt": "Create a React counter component with increment and decrement buttons"}
    with connect_sse(client, "POST", "/api/generate/stream", json=body) as stream:
        stream.response.raise_for_status()
        for event in stream.iter_sse():
            said = event.json()
            if said["type"] == "stream":
                print(said["data"]["content"], end="", flush=True)
            elif said["type"] == "error":
                raise SystemExit(said["message"])
            elif said["type"] == "complete":
                print()
                for file in said["data"]["files"]:
                    print(f"wrote {file['path']}")
