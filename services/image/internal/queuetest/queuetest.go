// Package queuetest is what every job.Queue must do, as tests that an adapter runs against itself: the embedded queue and a
// real broker alike.
package queuetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"calotype/services/image/internal/job"
)

// Settings are what a test wants a broker to be set to.
type Settings struct {
	// Lease bounds how long a message stays with a consumer that shows no life. A broker that sees connections end may be sooner.
	Lease         time.Duration
	MaxDeliveries int
}

// Broker outlives its clients, and is empty at first: a file, or a namespace on a server.
type Broker interface {
	// Connect gives a client of its own, as another process would have it. It may be called concurrently.
	Connect(t *testing.T) Client
}

// Client is one process's view of a broker.
type Client interface {
	job.Queue
	// Close leaves in order.
	Close() error
	// Kill leaves as a process does that is killed: nothing is settled, given back or said, and handlers' contexts end.
	Kill()
}

// Traits are what brokers may differ in.
type Traits struct {
	// Deduplicates means that publishing an ID again while it is queued is one message for certain.
	Deduplicates bool
	// Bundles means that messages may travel together. What that could spoil is tried again with all that do.
	Bundles bool
}

// Exercise runs the suite. Each test gets a broker of its own.
func Exercise(t *testing.T, newBroker func(t *testing.T, s Settings) Broker, traits Traits) {
	for _, c := range []struct {
		name     string
		test     func(t *testing.T, x *exercise)
		together bool // and once more where all that is published at once travels together
	}{
		{"Delivers", delivers, true},
		{"WakesAConsumerThatWaits", wakes, false},
		{"KeepsTopicsApart", keepsTopicsApart, false},
		{"RefusesAMessageWithoutID", refusesNoID, false},
		{"RefusesAfterTheContextEnded", refusesEnded, false},
		{"OneIDIsOneMessage", oneID, false},
		{"SurvivesReopening", survivesReopening, true},
		{"SurvivesThePublishersDeath", survivesPublisher, false},
		{"AgainWaits", againWaits, false},
		{"AgainIsNoLoss", againIsNoLoss, false},
		{"DeathRedelivers", deathRedelivers, false},
		{"PanicRedelivers", panicRedelivers, false},
		{"ClosingGivesBack", closingGivesBack, false},
		{"LongWorkKeepsItsMessage", longWork, false},
		{"SetAside", setAside, true},
		{"TheDeliveryLimitSetsAside", deliveryLimit, false},
		{"DeadLettersHaveNoLimit", deadLettersHaveNoLimit, false},
		{"SlotsBound", slotsBound, true},
		{"TwoConsumersShare", twoConsumersShare, true},
		{"Drains", drains, true},
		{"CountsDepth", countsDepth, true},
		{"ClassesShareByWeight", classesShare, true},
		{"NoClassStarves", noClassStarves, false},
		{"KeepsTheClass", keepsTheClass, false},
		{"CountsClasses", countsClasses, false},
		{"RefusesAnUnknownClass", refusesUnknownClass, false},
		{"NeighboursOfThePoisonousLive", neighboursLive, true},
		{"EachHasItsVerdict", eachDecided, true},
		{"LosesNothing", losesNothing, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, &exercise{new: newBroker, traits: traits})
		})
		if !c.together || !traits.Bundles {
			continue
		}
		t.Run(c.name+"Together", func(t *testing.T) {
			t.Parallel()
			c.test(t, &exercise{new: func(t *testing.T, s Settings) Broker { return together{newBroker(t, s)} }, traits: traits})
		})
	}
}

// exercise is what a test has at hand.
type exercise struct {
	new    func(t *testing.T, s Settings) Broker
	traits Traits
}

// usual is a patient broker: nothing is lost unless a client dies.
func (x *exercise) usual(t *testing.T) Broker {
	return x.new(t, Settings{Lease: 2 * time.Second, MaxDeliveries: 3})
}

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// receive waits for a value.
func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s within %s", what, patience)
		panic("unreachable")
	}
}

// until waits for a condition that nothing signals.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(patience); !holds(); <-look.C {
		if time.Now().After(end) {
			t.Fatalf("it did not come to this: %s", what)
		}
	}
}

// consuming runs Consume until stop, which waits for its end; the test's end stops it too.
func consuming(t *testing.T, q job.Queue, topic string, slots int, handle job.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- q.Consume(ctx, topic, slots, handle) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := receive(t, ended, "end of Consume"); err != nil {
				t.Errorf("Consume ended with %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// collecting consumes and acknowledges everything.
func collecting(t *testing.T, q job.Queue, topic string) (<-chan job.Delivery, func()) {
	t.Helper()
	got := make(chan job.Delivery, 10000)
	return got, consuming(t, q, topic, 1, func(_ context.Context, d job.Delivery) job.Verdict {
		got <- d
		return job.Done()
	})
}

// doomed consumes with one slot on a client that the test will kill. The deliveries' handlers return when their contexts end, and
// claim then to have succeeded, which must not be believed.
func doomed(c Client, topic string) <-chan job.Delivery {
	got := make(chan job.Delivery, 100)
	go func() {
		_ = c.Consume(context.Background(), topic, 1, func(ctx context.Context, d job.Delivery) job.Verdict {
			got <- d
			<-ctx.Done()
			return job.Done()
		})
	}()
	return got
}

func publish(t *testing.T, q job.Queue, topic string, messages ...job.Message) {
	t.Helper()
	if err := q.Publish(context.Background(), topic, messages...); err != nil {
		t.Fatalf("publishing: %v", err)
	}
}

func numbered(n int) []job.Message {
	out := make([]job.Message, n)
	for i := range out {
		out[i] = job.Message{ID: fmt.Sprintf("m%d", i), Body: []byte(fmt.Sprintf("body %d", i))}
	}
	return out
}

func depth(t *testing.T, q job.Queue, topic string, classes ...job.Class) job.Depth {
	t.Helper()
	d, err := q.Depth(context.Background(), topic, classes...)
	if err != nil {
		t.Fatalf("counting: %v", err)
	}
	return d
}

// empties waits until nothing is left of a topic.
func empties(t *testing.T, q job.Queue, topic string) {
	t.Helper()
	until(t, topic+" is empty", func() bool {
		d := depth(t, q, topic)
		return d.Ready == 0 && d.Leased == 0
	})
}
