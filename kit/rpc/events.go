package rpc

import "calotype/kit/rpc/internal/cluster"

// Event is something a client does beyond calling, or that it finds of a node; ClientConfig.Observe counts them.
type Event string

// The events.
const (
	EventRetry   Event = "retry" // one more attempt, on another node where there is one
	EventMove    Event = "move"  // a waiting call was taken from a node that fell silent
	EventHedge   Event = "hedge" // a second attempt beside a slow first one
	EventSpent   Event = "budget_spent"
	EventEjected       = Event(cluster.Ejected)
	EventSilent        = Event(cluster.Silent)
	EventBack          = Event(cluster.Back)

	EventElsewhere = Event(cluster.Elsewhere) // calls go to another datacenter than before
)

func (c *Client) observe(service string, e Event) {
	if c.cfg.Observe != nil {
		c.cfg.Observe(service, e)
	}
}
