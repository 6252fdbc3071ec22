"""RADIUS: the gateway's client, and the lab's servers, directory and push proxy."""
