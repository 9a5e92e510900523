"""The web page: photos in, faces with other expressions out, on the user's own computer (extra ``web``).

``pictures`` reads and writes bytes, ``session`` does the work for one visitor, ``visitors`` keeps the sessions and
shares the machine among them, ``app`` speaks HTTP, ``static`` is the page itself.
"""
