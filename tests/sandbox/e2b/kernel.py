"""A Python that runs one piece of code after the other, for the double's Jupyter.

Each line of stdin is JSON with `code`; each line of the real stdout is JSON of what came of it, as
e2b-code-interpreter's server sends it, and at the end `{"type": "end"}`.
"""

import ast
import base64
import json
import os
import sys
import time
import traceback
from typing import Any

real = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def send(**message: Any) -> None:
    real.write(json.dumps(message) + "\n")
    real.flush()


class Told:
    def __init__(self, name: str) -> None:
        self.name = name

    def write(self, text: str) -> int:
        if text:
            send(type=self.name, text=text, timestamp=time.time_ns())
        return len(text)

    def flush(self) -> None:
        pass


def display(value: Any, is_main_result: bool = False) -> None:
    forms = {"text": repr(value)}
    if hasattr(value, "_repr_png_"):
        forms["png"] = base64.encodebytes(value._repr_png_()).decode()
    send(type="result", is_main_result=is_main_result, **forms)


def run(code: str) -> None:
    tree = ast.parse(code)
    last = tree.body[-1] if tree.body else None
    last = last if isinstance(last, ast.Expr) else None
    tree.body = tree.body[:-1] if last else tree.body
    exec(compile(tree, "<cell>", "exec"), names)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
        if value is not None:
            display(value, is_main_result=True)


names: dict[str, Any] = {"__name__": "__main__", "display": display, "send_raw": send}
sys.stdout, sys.stderr = Told("stdout"), Told("stderr")
for number, line in enumerate(sys.stdin, 1):
    send(type="number_of_executions", execution_count=number)
    try:
        run(json.loads(line)["code"])
    except Exception as error:  # noqa: BLE001 - Whatever the code raises is told.
        told = "".join(traceback.format_exception(error))
        send(type="error", name=type(error).__name__, value=str(error), traceback=told)
    send(type="end")
