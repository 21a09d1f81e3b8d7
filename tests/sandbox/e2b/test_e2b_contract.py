"""The contract of sandboxes on E2B's double, with the real template."""

import msgspec
import pytest
from e2b_double import E2bDouble
from e2b_machine import Template
from sandbox_contract import *  # noqa: F403

from forge_lsp.settings import SandboxSettings

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def e2b_settings(
    double: E2bDouble, e2b_settings: SandboxSettings, vite_template: Template
) -> SandboxSettings:
    double.templates["vite"] = vite_template
    return msgspec.structs.replace(e2b_settings, e2b_template="vite")
