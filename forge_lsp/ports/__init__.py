"""What the centre needs from the outside, named for its role.

`app` puts those who implement the ports together. All text that enters through a port is valid
Unicode: an adapter replaces lone surrogates before they come in.
"""
