import pytest
from hypothesis import given
from hypothesis import strategies as st
from reply_reading import cut

from forge_lsp.generation.continuation import Joint, continuation_prompt

WRITTEN = '<file path="src/App.tsx">\n' + "".join(f"  const v{n} = {n};\n" for n in range(40))


def continued(written: str, *pieces: str) -> tuple[str, bool]:
    joint = Joint(written)
    added = "".join(map(joint.feed, pieces)) + joint.finish()
    return written + added, joint.found_overlap


def test_the_prompt_quotes_the_last_20_lines() -> None:
    prompt = continuation_prompt(WRITTEN)
    assert "const v39 = 39;" in prompt
    assert "const v20 = 20;" in prompt
    assert "const v19 = 19;" not in prompt


def test_the_prompt_stays_small_for_a_reply_without_lines() -> None:
    assert len(continuation_prompt("x" * 1_000_000)) < 10_000


rest = "  const v40 = 40;\n</file>\n<done/>\n"


@pytest.mark.parametrize("repeated", [1, 2, 3, 20])
@pytest.mark.parametrize("preamble", ["", "\n", "```tsx\n", '<file path="src/App.tsx">\n'])
def test_what_is_repeated_is_swallowed(repeated: int, preamble: str) -> None:
    lines = WRITTEN.splitlines(keepends=True)
    again = preamble + "".join(lines[-repeated:]) + rest
    assert continued(WRITTEN, again) == (WRITTEN + rest, True)
    assert continued(WRITTEN, *again) == (WRITTEN + rest, True)
    # Models begin without the indent of their first line.
    assert continued(WRITTEN, again.lstrip()) == (WRITTEN + rest, True)


@given(st.integers(1, len(WRITTEN) - 1), st.integers(1, 20), st.lists(st.integers(0, 99)))
def test_a_reply_cut_anywhere_is_put_together(end: int, repeated: int, cuts: list[int]) -> None:
    written, missing = WRITTEN[:end], WRITTEN[end:] + rest
    tail = "".join(written.splitlines(keepends=True)[-repeated:])
    result, found = continued(written, *cut(tail + missing, cuts))
    if found:
        assert result == WRITTEN + rest
    else:
        assert len("".join(tail.split())) < 8


@given(st.text(max_size=80), st.text(max_size=80), st.lists(st.integers(0, 80), max_size=6))
def test_any_cut_of_any_continuation_gives_the_same(
    written: str, continuation: str, cuts: list[int]
) -> None:
    whole = continued(written, continuation)
    assert continued(written, *cut(continuation, cuts)) == whole
    assert (written + continuation).startswith(written)


def test_without_an_overlap_all_is_given_and_it_is_said() -> None:
    assert continued(WRITTEN, "const other = 1;\nmore\n") == (
        WRITTEN + "const other = 1;\nmore\n",
        False,
    )


def test_a_lone_brace_is_no_overlap() -> None:
    assert continued("function f() {\n  if (x) {\n}\n", "}\nexport {}\n")[1] is False


def test_an_overlap_is_known_as_soon_as_it_can_be() -> None:
    joint = Joint(WRITTEN)
    assert joint.feed("  const v38 = 38;\n  const v39 = 39;") == ""
    assert joint.feed("\n  const v40") == "  const v40"
    assert joint.found_overlap
    assert joint.feed(" = 40;") == " = 40;"


def test_what_is_held_back_is_bounded() -> None:
    joint = Joint(WRITTEN)
    given = "".join(joint.feed("x") for _ in range(2_000))
    assert len(given) == 2_000
    assert not joint.found_overlap
