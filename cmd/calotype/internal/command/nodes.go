package command

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"calotype/cmd/calotype/internal/rest"
	"calotype/proto"
)

// services are what a whole suite has nodes of.
var services = []string{proto.Gateway, proto.Greeter, proto.Image, proto.Worker, proto.Storage}

func newNodes(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "nodes",
		Short: "List the nodes of every service: how they are, what they lead, how much they have to do",
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
			return e.table("SERVICE\tNODE\tADDRESS\tVERSION\tSTATE\tHEARTBEAT\tIN FLIGHT\tWAITING\tLEADS", func(row func(...any)) {
				for _, n := range nodes {
					row(n.Service, n.ID, n.Address, orDash(n.Version), stateOf(n), orDash(n.HeartbeatAge), orDash(inFlight(n)), waiting(n), orDash(leads(n)))
				}
			})
		},
	}
}

func stateOf(n rest.Node) string {
	s := strings.ReplaceAll(n.State, "_", " ")
	if n.LastAnswerAge != "" {
		s += " for " + n.LastAnswerAge
	}
	return orDash(s)
}

// inFlight is of how many slots, where there are any.
func inFlight(n rest.Node) string {
	switch {
	case n.InFlight == nil:
		return ""
	case n.Slots > 0:
		return fmt.Sprintf("%d/%d", *n.InFlight, n.Slots)
	}
	return strconv.Itoa(*n.InFlight)
}

func waiting(n rest.Node) string {
	if n.InFlight == nil {
		return "-"
	}
	return strconv.Itoa(n.Waiting)
}

func leads(n rest.Node) string {
	var duties []string
	for _, t := range n.Leads {
		duties = append(duties, t.Duty)
	}
	return strings.Join(duties, ",")
}
