"""Several workers over one port: a supervisor accepts and deals, each worker is the proxy in a process of its own.

Each has caches, pools and upstream connections of its own; a shared cache is shared by them as by replicas.
"""
