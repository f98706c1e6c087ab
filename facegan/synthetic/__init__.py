"""The renderer: synthetic people, in the 300VW layout, for trials without real data."""
