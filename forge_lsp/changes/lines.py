"""Lines, and which of them two texts have in common.

A patience diff: lines that stand once on both sides anchor the rest, and what lies between two
anchors is looked at again. Gaps without such lines get the shortest edit (Myers, "An O(ND)
Difference Algorithm", 1986). All of it stays within a budget, so hostile texts get a coarser
answer instead of a late one.
"""

import bisect
import io
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

Line = TypeVar("Line", str, bytes)

_BASE_BUDGET = 2_000_000
_BUDGET_PER_LINE = 10
"""In steps, of which a million takes about half a second."""
_MAX_EDITS = 1_000
"""Texts that differ in more lines than this, in one place, are given up as wholly different."""


class Block(NamedTuple):
    """`size` lines that are the same from line `before` and from line `after` on."""

    before: int
    after: int
    size: int


class _Gap(NamedTuple):
    before_start: int
    before_end: int
    after_start: int
    after_end: int


def lines_of(data: bytes) -> list[bytes]:
    """`data` cut after each LF; joined, they are `data` again."""
    return io.BytesIO(data).readlines()


def matching_blocks(before: Sequence[Line], after: Sequence[Line]) -> list[Block]:
    """What both have in common, in order, with something that differs between any two blocks."""
    budget = _BASE_BUDGET + _BUDGET_PER_LINE * (len(before) + len(after))
    found: list[Block] = []
    gaps = [_Gap(0, len(before), 0, len(after))]
    while gaps:
        gap = _trim(before, after, gaps.pop(), found)
        width = gap.before_end - gap.before_start
        height = gap.after_end - gap.after_start
        budget -= width + height
        if not width or not height or budget < 0:
            continue
        anchors = _anchors(before, after, gap)
        if anchors:
            found += anchors
            gaps += _between(anchors, gap)
            continue
        blocks, cost = _shortest_edit(before, after, gap, budget)
        budget -= cost
        found += blocks
    return _joined(found)


def common_head(one: Sequence[Line], other: Sequence[Line]) -> int:
    """How many lines both begin with; halving compares whole pieces at once."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_tail(one: Sequence[Line], other: Sequence[Line], most: int) -> int:
    """How many lines, up to `most`, both end with."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        ours = one[len(one) - middle : len(one) - low]
        if ours == other[len(other) - middle : len(other) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def _trim(before: Sequence[Line], after: Sequence[Line], gap: _Gap, found: list[Block]) -> _Gap:
    """Take the common head and tail of `gap` into `found`; gives what lies between them."""
    ours = before[gap.before_start : gap.before_end]
    theirs = after[gap.after_start : gap.after_end]
    head = common_head(ours, theirs)
    tail = common_tail(ours, theirs, min(len(ours), len(theirs)) - head)
    if head:
        found.append(Block(gap.before_start, gap.after_start, head))
    if tail:
        found.append(Block(gap.before_end - tail, gap.after_end - tail, tail))
    return _Gap(
        gap.before_start + head, gap.before_end - tail, gap.after_start + head, gap.after_end - tail
    )


def _anchors(before: Sequence[Line], after: Sequence[Line], gap: _Gap) -> list[Block]:
    """The longest run of lines that stand once on each side, in the same order on both."""
    places_before = _unique_lines(before, gap.before_start, gap.before_end)
    places_after = _unique_lines(after, gap.after_start, gap.after_end)
    common = [
        (place, places_after[line]) for line, place in places_before.items() if line in places_after
    ]
    # Patience sorting: `ends[n]` is the smallest last place of a rising run of n + 1 places.
    ends: list[int] = []
    last: list[int] = []
    previous: list[int] = []
    for index, (_, place) in enumerate(common):
        length = bisect.bisect_left(ends, place)
        previous.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [place]
        last[length : length + 1] = [index]
    run: list[Block] = []
    index = last[-1] if last else -1
    while index >= 0:
        run.append(Block(*common[index], 1))
        index = previous[index]
    return _joined(run)


def _unique_lines(lines: Sequence[Line], start: int, end: int) -> dict[Line, int]:
    counts = Counter(lines[start:end])
    return {lines[place]: place for place in range(start, end) if counts[lines[place]] == 1}


def _between(anchors: list[Block], gap: _Gap) -> list[_Gap]:
    gaps: list[_Gap] = []
    top, left = gap.before_start, gap.after_start
    for anchor in [*anchors, Block(gap.before_end, gap.after_end, 0)]:
        gaps.append(_Gap(top, anchor.before, left, anchor.after))
        top, left = anchor.before + anchor.size, anchor.after + anchor.size
    return gaps


def _shortest_edit(
    before: Sequence[Line], after: Sequence[Line], gap: _Gap, budget: int
) -> tuple[list[Block], int]:
    """The blocks that the fewest edits leave, none where that costs too much; and the cost.

    `furthest[k]` is how far down diagonal k the edits so far lead (a negative k counts from the
    list's end); `trail` keeps it as it was before each edit.
    """
    top, bottom, left, right = gap
    width, height = bottom - top, right - left
    limit = min(width + height, _MAX_EDITS)
    furthest = [0] * (2 * limit + 3)
    trail: list[list[int]] = []
    cost = 0
    for edits in range(limit + 1):
        trail.append(furthest[: edits + 2] + furthest[-edits - 1 :])
        cost += 2 * edits + 1
        for k in range(-edits, edits + 1, 2):
            source = _source(furthest, k, edits)
            start = x = furthest[source] + (source < k)
            while x < width and x - k < height and before[top + x] == after[left + x - k]:
                x += 1
            cost += x - start
            furthest[k] = x
            if x >= width and x - k >= height:
                return _walked_back(trail, gap), cost
        if cost > budget:
            break
    return [], cost


def _source(furthest: list[int], k: int, edits: int) -> int:
    """The diagonal from which the last edit leads to `k`: k + 1 inserts a line, k - 1 deletes."""
    if k == -edits or (k != edits and furthest[k - 1] < furthest[k + 1]):
        return k + 1
    return k - 1


def _walked_back(trail: list[list[int]], gap: _Gap) -> list[Block]:
    blocks: list[Block] = []
    x = gap.before_end - gap.before_start
    k = x - (gap.after_end - gap.after_start)
    for edits in range(len(trail) - 1, -1, -1):
        furthest = trail[edits]
        source = _source(furthest, k, edits)
        entered = furthest[source] + (source < k)
        if x > entered:
            place = gap.before_start + entered
            blocks.append(Block(place, gap.after_start + entered - k, x - entered))
        x, k = furthest[source], source
    return blocks


def _joined(blocks: list[Block]) -> list[Block]:
    joined: list[Block] = []
    for block in sorted(blocks):
        if joined:
            top, left, size = joined[-1]
            if (top + size, left + size) == (block.before, block.after):
                joined[-1] = Block(top, left, size + block.size)
                continue
        joined.append(block)
    return joined
