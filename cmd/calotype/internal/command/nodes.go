package command

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"calotype/proto"
)

// services are what a whole suite has nodes of.
var services = []string{proto.Gateway, proto.Greeter, proto.Image, proto.Worker, proto.Storage}

func newNodes(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "nodes",
		Short: "List the nodes of every service",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := e.client()
			if err != nil {
				return err
			}
			nodes, err := c.Nodes(cmd.Context())
			if err != nil {
				return err
			}
			if e.json {
				for _, n := range nodes {
					b, err := json.Marshal(n)
					if err != nil {
						return err
					}
					fmt.Fprintf(e.out, "%s\n", b)
				}
				return nil
			}
			return e.table("SERVICE\tNODE\tADDRESS\tVERSION", func(row func(...any)) {
				for _, n := range nodes {
					row(n.Service, n.ID, n.Address, orDash(n.Version))
				}
			})
		},
	}
}
