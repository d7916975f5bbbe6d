// Package plan says what is to go wrong, in which order, and what may come of it: the same for the same containers and the same seed.
// It knows nothing of how things are broken.
package plan

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Action is a way to break something.
type Action string

// The ways there are. Kill ends containers as kill -9 does, and starts them again. Cut has them lose every packet. Roll replaces every
// container of Calotype's services one by one, as an upgrade does.
const (
	Kill  Action = "kill"
	Pause Action = "pause"
	Cut   Action = "cut"
	Roll  Action = "roll"
)

// Limits are what may come of a step. A negative Recovery is not looked at.
type Limits struct {
	Failed   float64       // of the requests, 0.001 is one in a thousand
	Recovery time.Duration // until requests are as before
	Jobs     time.Duration // until jobs that are accepted end as soon as before; 0 is not looked at
	Refusing time.Duration // a 503 with Retry-After is no failure when it comes within this; 0 means that it is one
}

// Step is one thing that goes wrong. Leader means that the target is whichever container leads then.
type Step struct {
	Name    string
	Action  Action
	Service string
	Targets []string
	Leader  bool
	Lasts   time.Duration // until it is put right
	Rest    time.Duration // after it is well again, before the next step
	Limits  Limits
}

// Topology is the names of the containers by service.
type Topology map[string][]string

// Stateless are the services of Calotype itself.
var Stateless = []string{"gateway", "greeter", "image-manager", "image-worker", "storage"}

const (
	moment = 5 * time.Second  // a node is away for so long
	outage = 60 * time.Second // a whole service is
	apart  = 30 * time.Second // a node is cut off
	rest   = 5 * time.Second
	raft   = 30 * time.Second // what Consul needs between faults to be three again
)

// none means that a time is not looked at.
const none = -1

var (
	stateless = Limits{Failed: 0.001, Recovery: time.Second, Jobs: time.Second}
	unheard   = Limits{Failed: 0.001, Recovery: time.Second, Jobs: 5 * time.Second} // a worker that nobody hears of is given what it may hold
	stateful  = Limits{Failed: 0.005, Recovery: none}
	nothing   = Limits{Failed: 0, Recovery: none}
	refusing  = Limits{Failed: 0, Recovery: none, Refusing: 200 * time.Millisecond}
)

func within(l Limits, d time.Duration) Limits {
	l.Recovery, l.Jobs = d, d
	return l
}

// Short is one of each kind that matters, for every change: some four minutes.
func Short(t Topology, seed uint64) []Step {
	random := rand.New(rand.NewPCG(seed, 1))
	var steps []Step
	for _, service := range Stateless {
		if all := t[service]; len(all) > 0 {
			steps = append(steps, kill(service, all[random.IntN(len(all))], stateless))
		}
	}
	if all := matching(t, "consul"); len(all) > 0 {
		s := leader("consul", within(stateful, 5*time.Second))
		s.Rest = rest // no other fault of Consul comes after it
		steps = append(steps, s)
	}
	if all := matching(t, "rabbitmq"); len(all) > 0 {
		steps = append(steps, leader("rabbitmq", within(stateful, 15*time.Second)))
	}
	if all := matching(t, "ceph-osd"); len(all) > 0 {
		steps = append(steps, kill("ceph", all[random.IntN(len(all))], stateful))
	}
	for _, c := range t["postgres"] {
		steps = append(steps, restart(c))
	}
	shuffle(random, steps)
	return steps
}

// Full is every container but Nginx in turn, each stateful service wholly away, nodes cut from the network, and a roll of all.
func Full(t Topology, seed uint64) []Step {
	random := rand.New(rand.NewPCG(seed, 2))
	var steps []Step
	for _, service := range Stateless {
		for _, c := range t[service] {
			steps = append(steps, kill(service, c, stateless))
		}
	}
	for _, service := range slices.Sorted(maps.Keys(t)) {
		for _, c := range t[service] {
			switch s, known := stateOf(service); {
			case known && s == "consul":
				steps = append(steps, rested(kill(s, c, stateful)))
			case known:
				steps = append(steps, kill(s, c, stateful))
			case service == "postgres":
				steps = append(steps, restart(c))
			case service == "jaeger":
				steps = append(steps, kill(service, c, stateless))
			}
		}
	}
	steps = append(steps, rested(leader("consul", within(stateful, 5*time.Second))), leader("rabbitmq", within(stateful, 15*time.Second)))
	for _, service := range []string{"image-worker", "storage", "image-manager"} {
		if all := t[service]; len(all) > 1 {
			c := all[random.IntN(len(all))]
			steps = append(steps,
				Step{"cut " + c + " off for 30 s", Cut, service, []string{c}, false, apart, rest, unheard},
				Step{"freeze " + c + " for 30 s", Pause, service, []string{c}, false, apart, rest, unheard})
		}
	}
	shuffle(random, steps)
	return append(steps, Outages(t)...)
}

// Outages are each stateful service wholly away for a minute, and the replacement of every container of Calotype's own.
func Outages(t Topology) []Step {
	return []Step{
		{"all of Consul away for 60 s", Kill, "consul", matching(t, "consul"), false, outage, raft, nothing},
		{"all of RabbitMQ away for 60 s", Kill, "rabbitmq", matching(t, "rabbitmq"), false, outage, rest, refusing},
		{"all of Ceph away for 60 s", Kill, "ceph", matching(t, "ceph"), false, outage, rest, refusing},
		{"replace every container of Calotype", Roll, "calotype", nil, false, 0, rest, nothing},
	}
}

// stateOf names the stateful service that a compose service is a part of.
func stateOf(service string) (string, bool) {
	for _, s := range []string{"consul", "rabbitmq", "ceph"} {
		if strings.HasPrefix(service, s+"-") {
			return s, true
		}
	}
	return "", false
}

// matching are the containers of the compose services whose names begin so.
func matching(t Topology, prefix string) (all []string) {
	for _, service := range slices.Sorted(maps.Keys(t)) {
		if strings.HasPrefix(service, prefix+"-") || service == prefix {
			all = append(all, t[service]...)
		}
	}
	return all
}

func kill(service, container string, l Limits) Step {
	return Step{"kill -9 " + container, Kill, service, []string{container}, false, moment, rest, l}
}

// restart is the kill of what there is one of: it is started again at once.
func restart(container string) Step {
	return Step{"kill -9 " + container + ", started at once", Kill, "postgres", []string{container}, false, 0, rest, stateful}
}

func leader(service string, l Limits) Step {
	return Step{"kill -9 the leader of " + service, Kill, service, nil, true, moment, rest, l}
}

func rested(s Step) Step {
	s.Rest = raft
	return s
}

func shuffle(random *rand.Rand, steps []Step) {
	random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
}

// Matching leaves of the steps those whose name holds one of the words; no words leave all.
func Matching(steps []Step, words []string) []Step {
	return slices.DeleteFunc(slices.Clone(steps), func(s Step) bool {
		return len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s.Name, w) })
	})
}

// String is the plan as people read it.
func String(steps []Step) string {
	var b strings.Builder
	for i, s := range steps {
		fmt.Fprintf(&b, "%2d. %s\n", i+1, s.Name)
	}
	return b.String()
}
