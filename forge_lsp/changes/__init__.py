"""What a run wants to change: exact bytes before and after, as hunks that can be decided singly.

Pure: bytes in, bytes out.
"""
