# Registers itself, under its own name and no other.
service "calotype-image" { policy = "write" }
# Finds the nodes of every service, on whichever server.
service_prefix "calotype-" { policy = "read" }
node_prefix "" { policy = "read" }
# Follows the live configuration.
key "calotype/config" { policy = "read" }
# Elects the leader of each of its duties: a key that is locked by a session on one of the servers.
key_prefix "calotype/leader/calotype-image/" { policy = "write" }
session_prefix "consul-" { policy = "write" }
