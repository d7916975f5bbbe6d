package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// fault is something that goes wrong, and what puts it right.
type fault struct {
	name  string
	lasts time.Duration
	begin func() (undo func())
}

// planner draws a fault at every beat by a seed. It runs on the test's goroutine, to which the processes belong.
type planner struct {
	*rand.Rand
	c    *cluster
	busy map[*node]bool // a fault is on it
	told []string
	open []undo // faults that are to be put right at a time
}

type undo struct {
	at time.Time
	do func()
}

const frozen = 20 * time.Second

// run breaks something at every beat until ctx ends, then puts all right.
func (p *planner) run(ctx context.Context, began time.Time, beat time.Duration) {
	next := began.Add(beat)
	for ctx.Err() == nil {
		at := next
		for _, u := range p.open {
			if u.at.Before(at) {
				at = u.at
			}
		}
		select {
		case <-time.After(time.Until(at)):
		case <-ctx.Done():
		}
		p.repair(time.Now())
		if ctx.Err() == nil && !time.Now().Before(next) {
			f := p.draw()
			p.told = append(p.told, fmt.Sprintf("%5.1f s  %s", time.Since(began).Seconds(), f.name))
			if undoing := f.begin(); undoing != nil {
				p.open = append(p.open, undo{time.Now().Add(f.lasts), undoing})
			}
			next = next.Add(beat)
		}
	}
	p.repair(time.Now().Add(time.Hour))
}

// repair puts right what was to be by now.
func (p *planner) repair(now time.Time) {
	var left []undo
	for _, u := range p.open {
		if u.at.After(now) {
			left = append(left, u)
			continue
		}
		u.do()
	}
	p.open = left
}

// draw chooses among what can be broken now: each kind as likely as the next.
func (p *planner) draw() fault {
	for {
		switch p.IntN(6) {
		case 0:
			if n := p.idle(p.c.workers); n != nil {
				return fault{name: "kill -9 " + n.name, begin: p.kill(n)}
			}
		case 1:
			if n := p.idle(p.c.managers); n != nil {
				return fault{name: "kill -9 " + n.name, begin: p.kill(n)}
			}
		case 2:
			return fault{name: "kill -9 the broker that leads the queue", begin: p.killBroker}
		case 3:
			return fault{name: "restart Postgres", begin: func() func() {
				p.c.postgres.Stop()
				p.c.postgres.Start()
				return nil
			}}
		case 4:
			if n := p.idle(p.c.workers); n != nil {
				return fault{name: "freeze " + n.name, lasts: frozen, begin: func() func() {
					p.busy[n] = true
					n.Freeze()
					return func() { n.Thaw(); delete(p.busy, n) }
				}}
			}
		case 5:
			if n := p.idle(p.c.managers); n != nil {
				return fault{name: "cut " + n.name + " from the brokers", lasts: 8 * time.Second, begin: func() func() {
					p.busy[n] = true
					for _, r := range n.relays {
						r.Cut()
					}
					return func() {
						for _, r := range n.relays {
							r.Heal()
						}
						delete(p.busy, n)
					}
				}}
			}
		}
	}
}

// idle is one of the nodes that nothing is wrong with, nil when it is the last.
func (p *planner) idle(nodes []*node) *node {
	var well []*node
	for _, n := range nodes {
		if !p.busy[n] {
			well = append(well, n)
		}
	}
	if len(well) < 2 {
		return nil
	}
	return well[p.IntN(len(well))]
}

func (p *planner) kill(n *node) func() func() {
	return func() func() {
		n.Kill()
		n.Start()
		return nil
	}
}

// killBroker kills the node that leads the queue of the tasks, which is the only one where there is one.
func (p *planner) killBroker() func() {
	victim := p.c.rabbit.Nodes[0]
	if len(p.c.rabbit.Nodes) > 1 {
		if leader := p.c.rabbit.Leader(p.c.rabbit.Nodes[p.IntN(len(p.c.rabbit.Nodes))], taskQueue); leader != nil {
			victim = leader
		}
	}
	victim.Kill()
	victim.Start()
	return nil
}
