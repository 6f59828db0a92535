"""The jet tagger: five classes of boosted jets from their constituents or from high-level features."""
