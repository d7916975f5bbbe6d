# Finds the nodes of every service, on whichever server.
service_prefix "calotype-" { policy = "read" }
node_prefix "" { policy = "read" }
# Follows the live configuration.
key "calotype/config" { policy = "read" }
