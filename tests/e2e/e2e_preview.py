"""Looks at a preview as a browser would, without one."""

import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

LOOK_EVERY_S = 0.05


def fetch(url: str, path: str = "/") -> tuple[int, str]:
    """Status and body. Python may not know that names under `localhost` mean this machine."""
    place = urlsplit(url)
    connection = HTTPConnection("127.0.0.1", place.port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": place.netloc})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def wait_for(url: str, path: str, text: str, timeout_s: float = 10) -> None:
    """Until the file at `path` holds `text`: Vite hears of a change a moment after it."""
    deadline = time.monotonic() + timeout_s
    while text not in (found := fetch(url, path))[1]:
        assert time.monotonic() < deadline, f"{text!r} is not in {path} of the preview: {found}"
        time.sleep(LOOK_EVERY_S)
