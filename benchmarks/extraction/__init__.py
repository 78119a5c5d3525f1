"""How exactly, and how fast, articles are read from pages, beside three other extractors.

    python -m benchmarks.extraction

Pages: those in the manner of the platforms (tests/extract/platforms) and, where they are, the saved
pages of real sites (../shared/html); read by read(), by trafilatura alone, by newspaper4k and by
news-please, each of the last two in a virtual environment of its own.
"""
