"""The model: Claude, or any server of the Messages API, or a demo that needs no network.

`opening.open_model` is the way in. Nothing here may import the anthropic SDK before that is
called: it takes longer to load than the server may take to start.
"""
