"""Five small outlets on 127.0.0.1 that behave like the platforms of their originals.

They are there to be crawled: by `make demo`, to show the program at work without touching anyone,
and by tests, which know from `demo.sites.SITES` what there is to be found.
"""
