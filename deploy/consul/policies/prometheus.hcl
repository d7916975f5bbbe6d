# Finds the nodes of every service, on whichever server.
service_prefix "calotype-" { policy = "read" }
node_prefix "" { policy = "read" }
# Tells which data centre it is in.
agent_prefix "" { policy = "read" }
