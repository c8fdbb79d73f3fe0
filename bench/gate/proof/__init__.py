"""The gate's own proof: equal code recorded, gates replayed from it by its own judge, peers' rules beside them."""
