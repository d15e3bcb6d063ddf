"""The perpetuals signal engine: typed results from polars frames, on any exchange.

It works alone: bring frames in the columns of `market_data.SCHEMAS`, or read a recording. Nothing here
touches the network but `sources`, and nothing there does before it is asked for data.
"""
